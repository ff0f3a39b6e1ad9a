"""Suite ``graphs``: FedLoG and its baselines on Cora, on the shared partition and on partitions nobody tuned on."""

from pathlib import Path

from common.errors import InputError, nearest
from common.files import read_object
from common.run.metrics import Columns, GraphFinal
from fedlpa.benchmark.cells import Cell, Label, Result, Settings
from fedlpa.benchmark.request import (
    BenchmarkData,
    Request,
    cell_settings,
    choose_seeds,
    choose_variants,
    shared_folder,
)
from fedlpa.benchmark.score_rows import Column, Row, percent
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
BEFORE = {
    "fedlog-published": "before-averaging",
    "graph-fedavg": "before-averaging",
    "graph-fedprox": "before-averaging",
}
"""Methods that are scored a second time, with every site's model before averaging (the published protocol)."""
COLUMNS: tuple[Column, ...] = (
    percent("seen", "seen"),
    percent("unseen_node", "unseen node"),
    percent("missing_class", "missing class"),
    percent("new_client", "new client"),
    Column("membership_auc", "membership AUC", digits=2),
    Column("nearest_ratio", "nearest ratio", digits=2),
    Column("up_bytes", "kB up", 1e-3, digits=0),
    Column("seconds", "seconds", digits=0),
)


def suite(request: Request) -> Suite:
    """Every method on every partition; ``cora-3`` is the shared one, the others are made, one for each seed."""
    data, skipped = choose_graphs(request)
    seeds, available = choose_seeds(request), {**VARIANTS, **PRIVACY}
    variants = choose_variants(request, available)
    cells = []
    for each in data:
        for variant in variants:
            for seed in seeds:
                quick = {"rounds": 5} if request.quick else {}
                settings = cell_settings(request, each, available[variant], {"seed": seed, **quick})
                scored = ["", BEFORE[variant]] if variant in BEFORE else [""]
                for model in scored:
                    labels: dict[str, Label] = {"data": each.name, "method": variant, "scored": model, "seed": seed}
                    cells.append(Cell(f"{each.name}-{variant}-s{seed}", settings, labels, 0.05 if model else 1.0))
    return Suite("graphs", cells, measures, sections, ("data",), "method", skipped)


def measures(result: Result) -> dict[str, float | None]:
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


def _privacy(folder: Path) -> dict[str, float | None]:
    """What the sites measured on their slots, averaged; a simulation's sites belong to whoever runs it."""
    measured = [read_object(path) for path in sorted(folder.glob("sites/*/slot-privacy.json"))]
    result: dict[str, float | None] = {}
    for key in ("membership_auc", "nearest_ratio"):
        values = [site[key] for site in measured if site[key] is not None]
        result[key] = sum(values) / len(values) if values else None
    return result


def sections(rows: list[Row]) -> list[Section]:
    """A table for each partition, and one with the price of privacy."""
    tables = []
    for data in dict.fromkeys(row.labels["data"] for row in rows):
        here = [row for row in rows if row.labels["data"] == data]
        tables.append(Section(str(data), here, ("method", "scored"), COLUMNS, _note(str(data))))
    return tables


def _note(data: str) -> str:
    attack = "Membership AUC: of an attack that guesses by the distance to the nearest slot; 0.5 is guessing."
    if data == "cora-3":
        return (
            "tau, the gate's shift, the neighbours' strength and the choice of own and averaged model were made "
            f"looking at this partition. {attack}"
        )
    return f"Every seed is a partition of its own; nothing was tuned on these. {attack}"


def choose_graphs(request: Request) -> tuple[list[BenchmarkData], list[str]]:
    """The partitions to run on.

    Raises:
        InputError: an unknown name, or the shared data is not there.
    """
    cora = str(shared_folder() / "cora.npz")
    partitions = {
        "cora-3": BenchmarkData("cora-3", {"data": cora, "partition": str(shared_folder() / "cora-3")}, 1.0),
        **{f"cora-{n}-made": BenchmarkData(f"cora-{n}-made", {"data": cora, "clients": n}, n / 3) for n in (5, 10)},
        "cora-3-made": BenchmarkData("cora-3-made", {"data": cora, "clients": 3}, 1.0),
    }
    asked = request.data or (("cora-3",) if request.quick else tuple(partitions))
    for name in asked:
        if name not in partitions:
            raise InputError(f"unknown benchmark data '{name}'; {nearest(name, partitions)}")
    if not Path(cora).exists():
        raise InputError(f"{cora} is not there; set FEDLPA_SHARED_DATA to the folder of the shared data.")
    return [partitions[name] for name in asked], []
