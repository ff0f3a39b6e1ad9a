"""The command line. Every command only gathers its settings and calls one function of the Python API."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from common.methods.registry import all_methods
from fedlpa.federation import federation_commands
from fedlpa.site import site_commands

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
app.add_typer(federation_commands.federation_app, name="federation")
app.add_typer(federation_commands.server_app, name="server")
app.add_typer(site_commands.app, name="site")
app.command(epilog="Example: fedlpa run --config fl/run.toml --out runs/fl")(federation_commands.run)

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; see 'fedlpa settings'. Repeatable."),
]


@app.command(epilog="Example: fedlpa simulate --data digits --clients 5 --alpha 0.2 --seed 0 --out runs/demo")
def simulate(
    method: Annotated[str | None, typer.Option(help=f"One of {', '.join(all_methods())}.")] = None,
    data: Annotated[
        str | None, typer.Option(help="'digits' or a path: Parquet, CSV, image folder, graph (.npz).")
    ] = None,
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
    from fedlpa.show.live import LiveView
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


@app.command(epilog="Example: fedlpa predict --model runs/demo/model --data new.parquet --out predictions.parquet")
def predict(
    model: Annotated[Path, typer.Option(help="The model folder of a run.")],
    data: Annotated[str, typer.Option(help="New data of the kind the model was trained on.")],
    out: Annotated[Path, typer.Option(help="Parquet file: id, category, is_novel, confidence.")],
    prior: Annotated[
        str | None,
        typer.Option(
            help="site: the shares of categories at the site that kept this model (default there); uniform "
            "(default elsewhere); adapt: estimate them from this data."
        ),
    ] = None,
    home_share: Annotated[
        float, typer.Option(help="With --prior site: the probability that a sample comes from home.")
    ] = 1.0,
    backbone: Annotated[
        str | None, typer.Option(help="Where the model's pretrained backbone is here, if it has one.")
    ] = None,
    skip_bad_images: Annotated[bool, typer.Option(help="Leave images out that do not decode.")] = False,
    label_column: Annotated[
        str | None, typer.Option(help="The column of labels, if the data has one; default: as at the model's site.")
    ] = None,
) -> None:
    """Name the samples of new data: seen classes by name, discovered categories as novel-<n>."""
    from rich.console import Console
    from rich.table import Table

    from fedlpa.predict import predict as run_prediction

    console = Console()
    found = run_prediction(
        model,
        data,
        out,
        prior=prior,
        home_share=home_share,
        backbone=backbone,
        skip_bad_images=skip_bad_images,
        label_column=label_column,
        say=console.print,
    )
    table = Table("category", "samples", title=f"{len(found.ids)} samples")
    for name, count in sorted(Counter(found.categories).items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(name, str(count))
    console.print(table)
    console.print(f"found by: {found.how}")
    console.print(f"written: {out}", soft_wrap=True)


@app.command(epilog="Example: fedlpa partition --data digits --clients 5 --alpha 0.2 --seed 0 --out runs/partition")
def partition(
    data: Annotated[str, typer.Option(help="'digits' or a path to a labelled data set.")],
    out: Annotated[Path, typer.Option(help="Folder for site-<k>.parquet and truth.parquet.")],
    clients: Annotated[int, typer.Option(help="Number of sites.")] = 5,
    alpha: Annotated[float, typer.Option(help="Dirichlet concentration: smaller, more skewed.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    seen_classes: Annotated[str, typer.Option(help="Comma-separated; default: the first half.")] = "",
    labelled_fraction: Annotated[float, typer.Option(help="Share of the seen classes that is labelled.")] = 0.5,
    overwrite: Annotated[bool, typer.Option(help="Replace the site files that are already there.")] = False,
    settings: Set = None,
) -> None:
    """Write the simulation's split as files, to play sites by hand and score them."""
    from rich.console import Console

    from fedlpa.partition import partition as write_partition
    from fedlpa.partition import render

    seen = tuple(name.strip() for name in seen_classes.split(",") if name.strip())
    options = _read_options(settings)
    Console().print(
        render(write_partition(data, clients, alpha, seed, out, seen, labelled_fraction, options, overwrite))
    )


@data_app.command(epilog="Example: fedlpa data check patients.csv --json")
def check(
    path: Annotated[str, typer.Argument(help="'digits' or a path: Parquet, CSV, image folder, graph (.npz).")],
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    settings: Set = None,
) -> None:
    """What the application sees in a data set, what it will do with it, what is wrong (exit status 2 then)."""
    from rich.console import Console

    from common.errors import InputError
    from fedlpa.data_check import check_data
    from fedlpa.data_report import render

    report = check_data(path, _read_options(settings))
    if json:
        import json as codec

        print(codec.dumps(report.to_json(), indent=1))
    else:
        Console().print(render(report))
    if not report.ok:
        raise InputError(report.problems[0])


@app.command(epilog="Example: fedlpa benchmark gcd --quick --out runs/bench/quick")
def benchmark(
    suite: Annotated[str, typer.Argument(help="gcd, ablations, graphs or graph-ablations.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json, results.md, chart.svg and the runs.")],
    quick: Annotated[bool, typer.Option(help="A small version in minutes, to see that all of it runs.")] = False,
    seeds: Annotated[str, typer.Option(help="Comma-separated; default: 0,1,2.")] = "",
    methods: Annotated[str, typer.Option(help="Only these, comma-separated; of ablations: variants.")] = "",
    data: Annotated[str, typer.Option(help="Only these data sets, e.g. digits,embeddings; graphs: cora-3.")] = "",
    alphas: Annotated[str, typer.Option(help="gcd: only these skews, comma-separated; default: 0.2,0.5.")] = "",
    clients: Annotated[str, typer.Option(help="gcd: only these numbers of sites; default: 5,10.")] = "",
    settings: Set = None,
) -> None:
    """Run a suite of runs, print its tables as Markdown, and keep every finished run for the next call."""
    from common.config import parse_assignments
    from fedlpa.benchmark.request import Request, read_alphas, read_counts, read_names, read_seeds
    from fedlpa.benchmark.suites import run_benchmark

    request = Request(
        out,
        quick,
        read_seeds(seeds),
        read_names(methods),
        read_names(data),
        parse_assignments(settings or []),
        read_alphas(alphas),
        read_counts(clients),
    )
    print(run_benchmark(suite, request), end="")


@app.command(epilog="Example: fedlpa settings --method fedlpa")
def settings(
    method: Annotated[str, typer.Option(help=f"One of {', '.join(all_methods())}.")] = "fedlpa",
) -> None:
    """List every setting of a method with its default: what --set and run.toml take."""
    from rich.console import Console
    from rich.table import Table

    from common.config import describe_settings

    table = Table("setting", "default", "whose", "what it does", title=f"settings of {method}")
    for setting in describe_settings(method):
        table.add_row(setting.key, setting.default, setting.owner, setting.description)
    Console().print(table)


def _read_options(settings: list[str] | None) -> Any:
    """Reading options from --set: the same keys as a run's."""
    from common.config import make_config, parse_assignments
    from common.data.read import ReadOptions
    from common.errors import InputError, nearest

    keys = ("label-column", "image-size", "skip-bad-images", "rows")
    assigned = parse_assignments(settings or [])
    for key in assigned:
        if key not in keys:
            raise InputError(f"unknown setting '{key}'; {nearest(key, keys)}")
    config = make_config(assigned)
    return ReadOptions(config.label_column, config.image_size, config.skip_bad_images, config.rows)


def _fresh_folder(method: str) -> Path:
    for number in range(1, 10_000):
        folder = Path("runs") / f"{method}-{number}"
        if not folder.exists():
            return folder
    raise AssertionError("ten thousand runs")


def _print_result(folder: Path, metrics: dict[str, Any]) -> None:
    """The scores of docs/evaluation.md, on graphs for every model that was scored, and where the report is."""
    from rich.console import Console
    from rich.table import Table

    from common.privacy.accountant import privacy_sentences
    from common.run.metrics import RunMetrics

    final, console = metrics["final"], Console()
    if "seen" in final:
        head, rows = "model", final.get("by_model", {"": final})
        titles = {part: part.replace("_", " ") for part in ("seen", "unseen_node", "missing_class", "new_client")}
    else:
        head, rows = "scope", {scope: final[scope] for scope in ("global", "local")}
        titles = {part: part.capitalize() for part in ("all", "old", "new")}
    table = Table(head, *titles.values(), title=f"{metrics['method']} on {metrics['data']}")
    for name, scores in rows.items():
        table.add_row(name, *("-" if scores[part] is None else f"{100 * scores[part]:.1f} %" for part in titles))
    console.print(table)
    categories = final.get("categories", {})
    if "seen" not in final and categories["found"] is not None:
        true = categories["true"]
        console.print(f"categories: {categories['found']} found" + ("" if true is None else f", {true} in truth"))
    for sentence in privacy_sentences(RunMetrics.model_validate(metrics).privacy):
        print(f"privacy: {sentence}")
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)
