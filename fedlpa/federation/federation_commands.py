"""Commands of the server's side: ``fedlpa federation``, ``fedlpa server``, ``fedlpa run``."""

from pathlib import Path
from typing import Annotated

import typer

federation_app = typer.Typer(help="Make a federation of institutions.", no_args_is_help=True)
server_app = typer.Typer(help="Run the federation's server.", no_args_is_help=True)

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the run; see 'fedlpa settings'. Repeatable."),
]


@federation_app.command(
    epilog="Example: fedlpa federation init fl --host fl.example.org --sites clinic-a,clinic-b --data-like a.parquet"
)
def init(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    host: Annotated[str, typer.Option(help="Name or IP address at which sites reach the server.")],
    sites: Annotated[str, typer.Option(help="Names of the institutions, comma-separated.")],
    port: Annotated[int, typer.Option(help="Port that sites reach.")] = 9092,
    control_port: Annotated[int, typer.Option(help="Port for 'fedlpa run' on the server's machine.")] = 9091,
    data_like: Annotated[
        list[str] | None, typer.Option(help="A data set like the sites', to fill run.toml in. Repeatable.")
    ] = None,
    settings: Set = None,
) -> None:
    """Write certificates, keys and configuration files: a folder for the server, and one for each site."""
    from rich.console import Console

    from common.config import parse_assignments
    from fedlpa.federation.init import init_federation

    names = tuple(name.strip() for name in sites.split(",") if name.strip())
    init_federation(
        folder,
        host,
        names,
        port=port,
        control_port=control_port,
        settings=parse_assignments(settings or []),
        data_like=tuple(data_like or ()),
    )
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"server: {folder / 'server'}: fedlpa server start --config {folder / 'server' / 'server.toml'}")
    for name in names:
        console.print(f"{name}: hand over {folder / 'sites' / name} over a safe channel, then delete it here")
    console.print(f"run: fill in {folder / 'run.toml'}: fedlpa run --config {folder / 'run.toml'} --out RUN")
    console.print(f"keep {folder / 'ca' / 'ca.key'} offline: whoever has it can play the server")


@federation_app.command("add", epilog="Example: fedlpa federation add fl clinic-c")
def add(
    folder: Annotated[Path, typer.Argument(help="The folder that 'federation init' made.")],
    name: Annotated[str, typer.Argument(help="Name of the new institution.")],
) -> None:
    """Add a site; a running server takes it in by itself."""
    from fedlpa.federation.init import add_site

    print(f"{name}: hand over {add_site(folder, name)} over a safe channel, then delete it here")


@federation_app.command("renew", epilog="Example: fedlpa federation renew fl --days 825")
def renew(
    folder: Annotated[Path, typer.Argument(help="The folder that 'federation init' made.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the new certificate is valid.")] = 825,
    ca: Annotated[
        Path | None, typer.Option(help="Where ca.key and ca.crt are, if they are kept elsewhere than in FOLDER/ca.")
    ] = None,
) -> None:
    """Make a new server certificate for the same names; sites need nothing new."""
    from fedlpa.federation.renew import renew_certificate

    ends = renew_certificate(folder, days=days, authority=ca)
    print(f"valid until {ends:%Y-%m-%d}; the old pair is kept as server.crt.old and server.key.old")
    print("restart 'fedlpa server start' to use it; sites reconnect by themselves")


@server_app.command("start", epilog="Example: fedlpa server start --config fl/server/server.toml")
def start_server(config: Annotated[Path, typer.Option(help="server.toml")]) -> None:
    """Run the server until it is stopped; it is started again when it dies."""
    from fedlpa.federation.serve import serve
    from fedlpa.federation.server_config import load_server_config
    from fedlpa.flower.supervisor import print_line

    serve(load_server_config(config), print_line)


def run(
    config: Annotated[Path, typer.Option(help="run.toml")],
    out: Annotated[Path, typer.Option(help="Folder of the run's files; an unfinished run in it goes on.")],
    overwrite: Annotated[bool, typer.Option(help="Replace a run that is already in the folder.")] = False,
    tries: Annotated[int, typer.Option(min=1, help="How often a run that breaks off is submitted, at most.")] = 10,
    settings: Set = None,
) -> None:
    """Run a federation of institutions: submit, follow, and go on after failures; on the server's machine."""
    from common.config import parse_assignments
    from common.privacy.accountant import privacy_sentences
    from common.run.metrics import RunMetrics
    from fedlpa.federation.follow import run_federation
    from fedlpa.federation.run_config import load_run
    from fedlpa.federation.server_config import load_server_config
    from fedlpa.show.live import LiveView

    order = load_run(config, parse_assignments(settings or []))
    with LiveView() as live:
        metrics = run_federation(
            order.config.but(out=str(out.absolute())),
            load_server_config(order.server),
            overwrite=overwrite,
            tries=tries,
            watch=live.on_round,
            say=live.on_message,
        )
    accuracy, found = metrics["final"].get("seen_accuracy"), metrics["final"]["categories"]["found"]
    for sentence in privacy_sentences(RunMetrics.model_validate(metrics).privacy):
        print(f"privacy: {sentence}")
    print(f"seen-class accuracy: {'-' if accuracy is None else f'{accuracy:.1%}'}; categories: {found or '-'}")
    print(f"report: {out / 'report.html'}")
