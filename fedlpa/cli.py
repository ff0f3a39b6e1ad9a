"""The command line. Every command only gathers its settings and calls one function of the Python API."""

from pathlib import Path
from typing import Annotated, Any

import typer

from common.methods import METHODS

app = typer.Typer(
    name="fedlpa",
    help="Federated category discovery on Flower: train together, discover new categories, keep data at home.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="Look at a data set before it is used.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; see 'fedlpa settings'. Repeatable."),
]


@app.command(epilog="Example: fedlpa simulate --data digits --clients 5 --alpha 0.2 --seed 0 --out runs/demo")
def simulate(
    method: Annotated[str | None, typer.Option(help=f"One of {', '.join(METHODS)}.")] = None,
    data: Annotated[str | None, typer.Option(help="'digits' or a path: Parquet, CSV, image folder.")] = None,
    clients: Annotated[int | None, typer.Option(help="Number of simulated institutions.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Dirichlet concentration: smaller, more skewed.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of the federation.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of split, initialisation and training.")] = None,
    seen_classes: Annotated[str | None, typer.Option(help="Comma-separated; default: the first half.")] = None,
    labelled_fraction: Annotated[
        float | None, typer.Option(help="Share of the seen classes' samples that is labelled.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run's files.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a run that is already in the folder.")] = False,
    settings: Set = None,
) -> None:
    """Run a whole federation on this machine: every client in its own process with its own private data."""
    from common.config import make_config, parse_assignments
    from common.errors import InputError
    from fedlpa.live import LiveView
    from fedlpa.simulate import simulate as run_simulation

    flags: dict[str, Any] = {
        "method": method,
        "data": data,
        "clients": clients,
        "alpha": alpha,
        "rounds": rounds,
        "seed": seed,
        "seen-classes": seen_classes,
        "labelled-fraction": labelled_fraction,
        "out": None if out is None else str(out),
    }
    given = {key: value for key, value in flags.items() if value is not None}
    assigned = parse_assignments(settings or [])
    for key in given.keys() & assigned.keys():
        raise InputError(f"{key} is given twice, as --{key} and with --set; keep one of them.")
    config = make_config({**given, **assigned})
    if not config.out:
        config = config.but(out=str(_fresh_folder(config.method)))
    with LiveView() as live:
        metrics = run_simulation(config, overwrite=overwrite, watch=live.on_round, say=live.on_message)
    _print_result(Path(config.out), metrics)


def _fresh_folder(method: str) -> Path:
    for number in range(1, 10_000):
        folder = Path("runs") / f"{method}-{number}"
        if not folder.exists():
            return folder
    raise AssertionError("ten thousand runs")


def _print_result(folder: Path, metrics: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    final = metrics["final"]
    table = Table("scope", "All", "Old", "New", title=f"{metrics['method']} on {metrics['data']}")
    for scope in ("global", "local"):
        table.add_row(scope, *(share(final[scope][part]) for part in ("all", "old", "new")))
    console = Console()
    console.print(table)
    found, true = final["categories"]["found"], final["categories"]["true"]
    if found is not None:
        console.print(f"categories: {found} found" + ("" if true is None else f", {true} in truth"))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)


if __name__ == "__main__":
    from fedlpa.main import run

    run()
