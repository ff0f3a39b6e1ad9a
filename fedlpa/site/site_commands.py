"""Commands of an institution's side: ``fedlpa site``."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Take part in a federation, as an institution.", no_args_is_help=True)

Config = Annotated[Path, typer.Option(help="site.toml")]


@app.command(epilog="Example: fedlpa site check --config clinic-a/site.toml")
def check(
    config: Config,
    run: Annotated[Path | None, typer.Option(help="A run.toml to check against.")] = None,
) -> None:
    """Find out, before the run, everything that would keep this site from taking part."""
    from rich.console import Console

    from client_app.site_config import load_site_config
    from common.errors import RunFailedError
    from fedlpa.site.check import check_site

    console = Console(soft_wrap=True, highlight=False)
    findings = check_site(load_site_config(config), run)
    for finding in findings:
        mark = "[green]ok[/]    " if finding.ok else "[red]failed[/]"
        console.print(f"{mark} {finding.check:<12}", end="")
        console.print(finding.told, markup=False)
    failed = [finding.check for finding in findings if not finding.ok]
    if failed:
        raise RunFailedError(f"this site cannot take part yet: {', '.join(failed)}.")


@app.command(epilog="Example: fedlpa site start --config clinic-a/site.toml")
def start(config: Config) -> None:
    """Take part until stopped; whatever dies is started again. Only outgoing connections are opened."""
    from client_app.site_config import load_site_config
    from fedlpa.flower.supervisor import print_line
    from fedlpa.site.owner_only import make_for_owner_only
    from fedlpa.site.start import run_site

    make_for_owner_only()
    run_site(load_site_config(config), print_line)


@app.command(epilog="Example: fedlpa site status --config clinic-a/site.toml --json")
def status(
    config: Config,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How this site is, from its files alone: exit status 0 if all is well, 1 with the causes if not."""
    from client_app.site_config import load_site_config
    from common.errors import RunFailedError
    from fedlpa.site.site_status import in_words, site_status

    found = site_status(load_site_config(config))
    if json:
        print(found.model_dump_json(by_alias=True))
    else:
        print("\n".join(in_words(found)))
    if found.causes:
        raise RunFailedError(f"this site is not well: {'; '.join(found.causes)}.")


@app.command(epilog="Example: fedlpa site approve --config clinic-a/site.toml")
def approve(config: Config) -> None:
    """Approve the installed application and the run that run.toml describes: no others are worked for here."""
    from common.run_toml import terms_of
    from fedlpa.site.approval import approve as pin

    found = pin(config)

    def told(old: str, new: str) -> str:
        return f"{new} (was {old or 'none'})" if old != new else f"{new} (unchanged)"

    print(f"approved application: {told(found.old_app, found.app)}")
    if found.run is None:
        print("no run is approved yet: run.toml does not say what the data looks like")
        return
    print(f"approved run: {told(found.old_run, found.run_hash)}")
    for key, value in terms_of(found.run).items():
        print(f"  {key} = {value}")


@app.command(epilog="Example: fedlpa site audit --config clinic-a/site.toml")
def audit(config: Config) -> None:
    """Verify the log of everything that ever left this site."""
    from client_app.audit import FILE, verify
    from client_app.site_config import load_site_config
    from common.errors import InputError

    path = load_site_config(config).state / FILE
    if not path.exists():
        raise InputError(f"{path} does not exist; nothing has left this site yet.")
    found = verify(path)
    print(f"{path}: {found.messages} messages, {found.bytes} bytes of arrays; the chain is whole, ends {found.last}")


@app.command(epilog="Example: fedlpa site adapt --model runs/graph/model --data new.npz --out runs/joined")
def adapt(
    model: Annotated[Path, typer.Option(help="The model folder of a fedlog run.")],
    data: Annotated[Path, typer.Option(help="This institution's graph (.npz) or table, with some labels.")],
    out: Annotated[Path, typer.Option(help="Folder for model/ and predictions.parquet; they stay here.")],
    epochs: Annotated[int, typer.Option(min=0, help="Passes over the labelled nodes.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split into training and validation.")] = 0,
    label_column: Annotated[
        str | None, typer.Option(help="The table's column of labels; default: as at the model's site.")
    ] = None,
) -> None:
    """Personalise a finished run's model at an institution that took no part in it."""
    from client_app.methods.fedlog.joining import join

    found = join(model, data, out, epochs=epochs, seed=seed, label_column=label_column)

    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    print(f"trained on {found.trained} labelled nodes of this site and {found.slots} condensed ones of the run")
    print(f"accuracy on {found.validated} validation nodes: {share(found.before)} before, {share(found.after)} after")
    print(f"written: {out}")
