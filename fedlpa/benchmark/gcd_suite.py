"""Suite ``gcd``: every discovery method on every data set, skew and number of clients (docs/evaluation.md)."""

from itertools import product

from fedlpa.benchmark.cells import Cell, Labels, Result, Settings
from fedlpa.benchmark.health_signs import health_section, signs_of
from fedlpa.benchmark.request import (
    QUICK_CLIENTS,
    BenchmarkData,
    Request,
    cell_settings,
    choose_data,
    choose_seeds,
    choose_variants,
)
from fedlpa.benchmark.score_rows import SCORES, Measures, Row, by_data, measures_of, percent
from fedlpa.benchmark.suite import Section, Suite
from fedlpa.benchmark.transfer import judged_elsewhere, newcomer

METHODS: dict[str, Settings] = {
    "fedlpa": {"method": "fedlpa"},
    "fedlpa-strict": {"method": "fedlpa", "share-categories": False},
    "local-infomap": {"method": "local-infomap"},
    "local-only": {"method": "local-only"},
    "fedavg-simgcd": {"method": "fedavg-simgcd"},
    "fedavg-gcd": {"method": "fedavg-gcd"},
    "centralised": {"method": "centralised"},
}
COSTS = {"local-infomap": 0.4, "fedavg-simgcd": 0.7, "fedavg-gcd": 0.6}
DATA = ("digits", "embeddings", "images")
ALPHAS = (0.2, 0.5)
CLIENTS = (5, 10)

ABROAD = (
    percent("home", "home"),
    percent("concepts_global_all", "concepts"),
    percent("abroad", "abroad"),
    percent("missing", "missing"),
    percent("newcomer_uniform", "newcomer, no prior"),
    percent("newcomer_adapt", "newcomer, adapted"),
)


def suite(request: Request) -> Suite:
    """The cells that were asked for."""
    data, skipped = choose_data(request, DATA)
    variants, seeds = choose_variants(request, METHODS), choose_seeds(request)
    alphas = request.alphas or ((0.2,) if request.quick else ALPHAS)
    client_counts = request.clients or ((QUICK_CLIENTS,) if request.quick else CLIENTS)
    cells = [
        cell
        for each, alpha, clients, variant, seed in product(data, alphas, client_counts, variants, seeds)
        for cell in _cells(request, each, alpha, clients, variant, seed)
    ]
    return Suite("gcd", cells, measures, sections, ("data", "alpha", "clients"), "method", skipped, health_section)


def _cells(request: Request, data: BenchmarkData, alpha: float, clients: int, variant: str, seed: int) -> list[Cell]:
    """The run, and for FedLPA at few sites a second one with one more institution that takes no part."""
    labels: Labels = {"data": data.name, "alpha": alpha, "clients": clients, "method": variant, "seed": seed}
    cost = data.cost * COSTS.get(variant, 1.0)
    newcomers = variant == "fedlpa" and clients in (QUICK_CLIENTS, CLIENTS[0])
    cells = []
    for extra in (0, 1) if newcomers else (0,):
        place = {"clients": clients + extra, "alpha": alpha, "seed": seed, "held-out-sites": extra}
        count = f"{clients}+1" if extra else str(clients)
        name = f"{data.name}-a{alpha:g}-c{count}-{variant}-s{seed}"
        cells.append(Cell(name, cell_settings(request, data, METHODS[variant], place), labels, cost))
    return cells


def measures(result: Result) -> Measures:
    """Of a run its metrics and what the model is worth elsewhere; of one with a newcomer only the newcomer's score."""
    assert result.metrics is not None
    if result.cell.settings["held-out-sites"]:
        return newcomer(result.folder)
    return {**measures_of(result.metrics), **judged_elsewhere(result.folder), **signs_of(result.folder)}


def sections(rows: list[Row]) -> list[Section]:
    """A table for each data set, then what the models are worth elsewhere."""
    tables = [Section(data, here, ("alpha", "clients", "method"), SCORES) for data, here in by_data(rows).items()]
    elsewhere = [row for row in rows if "abroad" in row.mean or "newcomer_adapt" in row.mean]
    if elsewhere:
        tables.append(
            Section(
                "Global All at home and elsewhere",
                elsewhere,
                ("data", "alpha", "clients", "method"),
                ABROAD,
                "home: the sites' own final predictions; concepts: the last discovery's clusters; abroad: other sites' "
                "samples by the model without a prior; missing: those whose class has fewer than 5 samples at the "
                "judging site; newcomer: one more institution that took no part. One match of categories to classes, "
                "fixed on the federation's own samples.",
            )
        )
    return tables
