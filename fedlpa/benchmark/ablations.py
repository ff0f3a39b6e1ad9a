"""Suite ``ablations``: FedLPA with one setting changed at a time, against its defaults."""

from itertools import product

from fedlpa.benchmark.cells import Cell, Labels, Result, Settings, assignments
from fedlpa.benchmark.request import QUICK_CLIENTS, Request, cell_settings, choose_data, choose_seeds, choose_variants
from fedlpa.benchmark.score_rows import SCORES, Measures, Row, add_gains, by_data, measures_of, percent
from fedlpa.benchmark.suite import Section, Suite

DEFAULT = "default"
VARIANTS: dict[str, Settings] = {
    DEFAULT: {},
    "no-lpa": {"prior-weight": 0, "distillation-weight": 0},
    "uniform-prior": {"prior": "uniform"},
    "no-warm-up": {"warmup-rounds": 0},
    "no-calibration": {"resolution": 1},
    "views": {"positives": "views"},
    "no-label-rate-split": {"label-rate-split": False},
    "no-sharing": {"share-categories": False},
    "no-head": {"head-rounds": 0},
    "pseudo-labels": {"reliable-quantile": 0.5},
    "knn-5": {"knn": 5},
    "knn-15": {"knn": 15},
    "prior-weight-0.25": {"prior-weight": 0.25},
    "prior-weight-1": {"prior-weight": 1},
    "rediscover-every-2": {"rediscover-every": 2},
    "rediscover-every-10": {"rediscover-every": 10},
    "unlabelled-sites-2": {"unlabelled-sites": 2},
    "unlabelled-sites-2-no-borrowing": {"unlabelled-sites": 2, "borrow-threshold": 1},
    "alpha-0.05-10-sites": {},
}
PLACES: dict[str, Settings] = {"alpha-0.05-10-sites": {"alpha": 0.05, "clients": 10}}
"""Sites with one class, with a handful of samples: not a setting of the method but of the place."""


def suite(request: Request) -> Suite:
    """The cells that were asked for; the default always, since everything is compared with it."""
    data, skipped = choose_data(request, ("digits",))
    clients = QUICK_CLIENTS if request.quick else 5
    variants = dict.fromkeys([DEFAULT, *choose_variants(request, VARIANTS)])
    cells = []
    for each, variant, seed in product(data, variants, choose_seeds(request)):
        place = {"clients": clients, "alpha": 0.2, "seed": seed, **PLACES.get(variant, {})}
        shown = " ".join(assignments({**VARIANTS[variant], **PLACES.get(variant, {})}))
        labels: Labels = {"data": each.name, "variant": variant, "settings": shown, "seed": seed}
        settings = cell_settings(request, each, VARIANTS[variant], place)
        cells.append(Cell(f"{each.name}-{variant}-s{seed}", settings, labels, each.cost))
    return Suite("ablations", cells, measures, sections, ("data",), "variant", skipped)


def measures(result: Result) -> Measures:
    """The run's metrics."""
    assert result.metrics is not None
    return measures_of(result.metrics)


def sections(rows: list[Row]) -> list[Section]:
    """A table for each data set, with the difference to the default in points."""
    gains = (percent("global_all_gain", "Δ global All"), percent("local_all_gain", "Δ local All"))
    tables = []
    for data, here in by_data(rows).items():
        base = next(row for row in here if row.labels["variant"] == DEFAULT)
        for row in here:
            add_gains(row, base, ("global_all", "local_all"))
        tables.append(Section(data, here, ("variant", "settings"), (*gains, *SCORES)))
    return tables
