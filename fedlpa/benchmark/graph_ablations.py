"""Suite ``graph-ablations``: FedLoG's recipe and its published form with one part changed at a time."""

from collections.abc import Mapping
from itertools import product

from fedlpa.benchmark.cells import Cell, Labels, Settings
from fedlpa.benchmark.graph_suite import choose_graphs, graph_place, measures
from fedlpa.benchmark.request import Request, cell_settings, choose_seeds, choose_variants
from fedlpa.benchmark.score_rows import KB_UP, SECONDS, Row, add_gains, by_data, percent
from fedlpa.benchmark.suite import Section, Suite

RECIPE, PUBLISHED = "fedlog", "published"
SETTINGS: Mapping[str, Mapping[str, Settings]] = {
    RECIPE: {
        "": {},
        "no-slots": {"slot-weight": 0},
        "own-slots-only": {"share-slots": False},
        "one-mean-a-class": {"slots-per-class": 1},
        "no-own-model": {"own-model": False},
        "no-gate": {"gate": False},
        "no-neighbour-prior": {"neighbour-prior": "none"},
        "tau-0": {"tau": 0},
        "cosine-head": {"cosine-head": True},
    },
    PUBLISHED: {
        "": {},
        "no-synthetic": {"synthetic-weight": 0},
        "no-scaling": {"scaling": False},
        "no-prompts": {"prompts": False},
        "one-branch": {"tail-branch": False},
        "no-metric": {"metric": False},
        "no-pretraining": {"pretrain-epochs": 0},
        "no-norm": {"norm-weight": 0},
    },
}
"""By form and part: what is set. Every form is compared with itself with nothing changed."""
METHOD = {RECIPE: "fedlog", PUBLISHED: "fedlog-published"}
VARIANTS: dict[str, Settings] = {
    "-".join(filter(None, (form, part))): {"method": METHOD[form], **settings}
    for form, parts in SETTINGS.items()
    for part, settings in parts.items()
}
COLUMNS = (("seen", "seen"), ("unseen_node", "unseen node"), ("missing_class", "missing class"), ("new_client", "new"))


def suite(request: Request) -> Suite:
    """The variants that were asked for, and the form that each is compared with."""
    data = choose_graphs(request)
    asked = choose_variants(request, VARIANTS)
    variants = dict.fromkeys([*map(_base, asked), *asked])
    cells = []
    for each, variant, seed in product(data if request.data else data[:1], variants, choose_seeds(request)):
        settings = cell_settings(request, each, VARIANTS[variant], graph_place(request, seed))
        labels: Labels = {"data": each.name, "variant": variant, "scored": "", "seed": seed}
        cells.append(Cell(f"{each.name}-{variant}-s{seed}", settings, labels))
    return Suite("graph-ablations", cells, measures, sections, ("data",), "variant")


def sections(rows: list[Row]) -> list[Section]:
    """A table for each partition, with the difference to the unchanged form in points."""
    tables = []
    gains = tuple(percent(f"{measure}_gain", f"Δ {title}") for measure, title in COLUMNS)
    scores = tuple(percent(measure, title) for measure, title in COLUMNS)
    for data, here in by_data(rows).items():
        by_name = {str(row.labels["variant"]): row for row in here}
        for name, row in by_name.items():
            add_gains(row, by_name[_base(name)], (measure for measure, _ in COLUMNS))
        tables.append(Section(data, here, ("variant",), (*gains, *scores, KB_UP, SECONDS)))
    return tables


def _base(variant: str) -> str:
    return next(form for form in SETTINGS if variant.startswith(form))
