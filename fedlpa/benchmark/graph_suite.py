"""Suite ``graphs``: FedLoG and its baselines on Cora, on the shared partition and on partitions nobody tuned on."""

from itertools import product
from pathlib import Path

from common.errors import InputError
from common.files import read_object
from common.run.metrics import Columns, GraphFinal
from fedlpa.benchmark.cells import Cell, Labels, Result, Settings
from fedlpa.benchmark.request import (
    BenchmarkData,
    Request,
    cell_settings,
    check_names,
    choose_seeds,
    choose_variants,
    shared_folder,
)
from fedlpa.benchmark.score_rows import KB_UP, SECONDS, Column, Measures, Row, by_data, percent
from fedlpa.benchmark.suite import Section, Suite

VARIANTS: dict[str, Settings] = {
    "fedlog": {"method": "fedlog"},
    "fedlog-no-gate": {"method": "fedlog", "gate": False},
    "fedlog-averaged-only": {"method": "fedlog", "gate": False, "own-model": False},
    "fedlog-published": {"method": "fedlog-published"},
    "graph-fedavg": {"method": "graph-fedavg"},
    "graph-fedprox": {"method": "graph-fedprox"},
    "graph-local": {"method": "graph-local"},
}
PRIVACY: dict[str, Settings] = {
    "group-10": {"method": "fedlog", "min-group": 10},
    "group-30": {"method": "fedlog", "min-group": 30, "group-size": 30},
    "clip-2": {"method": "fedlog", "slot-clip": 2.0},
    "noise-0.05": {"method": "fedlog", "slot-noise": 0.05},
    "noise-0.2": {"method": "fedlog", "slot-noise": 0.2},
}
"""What smaller trust costs; shown beneath the methods."""
BEFORE = dict.fromkeys(("fedlog-published", "graph-fedavg", "graph-fedprox"), "before-averaging")
"""Methods that are scored a second time, with every site's model before averaging (the published protocol)."""
COLUMNS: tuple[Column, ...] = (
    percent("seen", "seen"),
    percent("unseen_node", "unseen node"),
    percent("missing_class", "missing class"),
    percent("new_client", "new client"),
    Column("membership_auc", "membership AUC", digits=2),
    Column("nearest_ratio", "nearest ratio", digits=2),
    KB_UP,
    SECONDS,
)


def suite(request: Request) -> Suite:
    """Every method on every partition; ``cora-3`` is the shared one, the others are made, one for each seed."""
    available = {**VARIANTS, **PRIVACY}
    variants = choose_variants(request, available)
    cells = []
    for each, variant, seed in product(choose_graphs(request), variants, choose_seeds(request)):
        settings = cell_settings(request, each, available[variant], graph_place(request, seed))
        for model in ["", BEFORE[variant]] if variant in BEFORE else [""]:
            labels: Labels = {"data": each.name, "method": variant, "scored": model, "seed": seed}
            cells.append(Cell(f"{each.name}-{variant}-s{seed}", settings, labels, 0.05 if model else 1.0))
    return Suite("graphs", cells, measures, sections, ("data",), "method")


def measures(result: Result) -> Measures:
    """The accuracies of the model that the cell's label ``scored`` names, else of the method's own choice."""
    assert result.metrics is not None
    model, final = str(result.cell.labels["scored"]), result.metrics.final
    assert isinstance(final, GraphFinal)
    scores = (final.by_model or {})[model] if model else final
    return {
        **{name: getattr(scores, name) for name in Columns.model_fields},
        **_privacy(result.folder),
        "up_bytes": result.metrics.wire.up_bytes_per_client_round,
        "seconds": result.metrics.seconds.total,
    }


def _privacy(folder: Path) -> Measures:
    """What the sites measured on their slots, averaged; a simulation's sites belong to whoever runs it."""
    measured = [read_object(path) for path in sorted(folder.glob("sites/*/slot-privacy.json"))]
    result: dict[str, float | None] = {}
    for key in ("membership_auc", "nearest_ratio"):
        values = [site[key] for site in measured if site[key] is not None]
        result[key] = sum(values) / len(values) if values else None
    return result


def sections(rows: list[Row]) -> list[Section]:
    """A table for each partition, the methods first and the price of privacy beneath them."""
    return [Section(data, here, ("method", "scored"), COLUMNS, _note(data)) for data, here in by_data(rows).items()]


def _note(data: str) -> str:
    attack = "Membership AUC: of an attack that guesses by the distance to the nearest slot; 0.5 is guessing."
    if data == "cora-3":
        return (
            "tau, the gate's shift, the neighbours' strength and the choice of own and averaged model were made "
            f"looking at this partition. {attack}"
        )
    return f"Every seed is a partition of its own; nothing was tuned on these. {attack}"


def graph_place(request: Request, seed: int) -> Settings:
    """What a cell on a graph sets besides its variant: a quick one ends after five rounds."""
    return {"seed": seed, "rounds": 5} if request.quick else {"seed": seed}


def choose_graphs(request: Request) -> list[BenchmarkData]:
    """The partitions to run on.

    Raises:
        InputError: an unknown name, or the shared data is not there.
    """
    cora = str(shared_folder() / "cora.npz")
    partitions = {
        "cora-3": BenchmarkData("cora-3", {"data": cora, "partition": str(shared_folder() / "cora-3")}, 1.0),
        **{f"cora-{n}-made": BenchmarkData(f"cora-{n}-made", {"data": cora, "clients": n}, n / 3) for n in (5, 10, 3)},
    }
    asked = request.data or (("cora-3",) if request.quick else tuple(partitions))
    check_names(asked, partitions, "benchmark data '{}'")
    if not Path(cora).exists():
        raise InputError(f"{cora} is not there; set FEDLPA_SHARED_DATA to the folder of the shared data.")
    return [partitions[name] for name in asked]
