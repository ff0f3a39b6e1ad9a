"""What both sides must agree on for all category-discovery methods: records, scalars, the grid of resolutions."""

from common.data.kind_registry import is_standardised
from common.methods.option_groups import TrainingOptions
from common.methods.plan import RoundPlan, plan_training
from common.place import Place, Simulation
from common.settings import AnyConfig
from common.wire.contract import ArraySpec, Record, ScalarSpec, specs_of
from common.wire.records import COUNT, HELD_OUT, LOSS, MOST, SECONDS, SITE_NUMBER, TRUTH, WEIGHTS, Arrays

CATALOGUE = "catalogue"
"""Category rows: ``rows`` [m, d], ``counts`` [m], ``names`` [m] (index of a seen class, or -1)."""

RESOLUTIONS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
"""The grid of Infomap resolutions (Markov times): one calibration score each."""

MOST_CATEGORIES = 1024
MOST_ROW = 1e3
"""No entry of a row is larger: rows are unit features, or a trained head's rows of a few units."""

COMMON_METRICS = {
    "site": SITE_NUMBER,
    "samples": COUNT,
    "labelled": COUNT,
    "seconds": SECONDS,
    "discovery-seconds": SECONDS,
    "loss-total": LOSS,
    "loss-contrastive": LOSS,
    "loss-supervised": LOSS,
    "loss-self-distillation": LOSS,
    "loss-prior-alignment": LOSS,
    "seen-accuracy": HELD_OUT,
    "concepts": COUNT,
    "resolution": ScalarSpec(0, 20, exact=True),
    "calibration-curve": ScalarSpec(-1.0, 1.0, length=len(RESOLUTIONS), behind="calibration-labels"),
    "calibration-labels": COUNT,
    "stability": ScalarSpec(-1.0, 1.0, group="health"),
    "silhouette": ScalarSpec(-1.0, 1.0, group="health"),
    "tiny-share": ScalarSpec(0.0, 1.0, group="health"),
    "prior-drift": ScalarSpec(0.0, 1.0, group="health"),
}
"""Scalars that a client may report, with their ranges."""

CURVE_METRICS = ("calibration-curve", "calibration-labels")
"""Those by which sites borrow each other's calibration; of no use to methods that calibrate nothing together."""
PLAIN_METRICS = {name: spec for name, spec in COMMON_METRICS.items() if name not in CURVE_METRICS}


def weights_record(config: AnyConfig, head_rows: int) -> Record:
    """The declaration of every travelling tensor: names, shapes and dtypes fixed by the configuration."""
    from common.models import build_network, travelling

    return Record(WEIGHTS, specs_of(travelling(build_network(config, head_rows))), required=True)


def starting_weights(config: AnyConfig, head_rows: int) -> Arrays:
    """The travelling tensors that every run of ``config`` starts with."""
    from common.models import initial_weights

    return initial_weights(config, head_rows)


def catalogue_record(config: AnyConfig, switch: str = "") -> Record:
    """The declaration of category rows, named after seen classes or novel."""
    from common.models import feature_width

    arrays = {
        "rows": ArraySpec("float32", (None, feature_width(config)), MOST_CATEGORIES, low=-MOST_ROW, high=MOST_ROW),
        "counts": ArraySpec("int64", (None,), MOST_CATEGORIES, low=1, high=MOST),
        "names": ArraySpec("int64", (None,), MOST_CATEGORIES, low=-1, high=len(config.seen_classes) - 1),
    }
    return Record(CATALOGUE, arrays, switch=switch, counted="category rows")


def truth_records(config: AnyConfig, place: Place, *, at_delivery: bool = True) -> tuple[Record, ...]:
    """The benchmark's ``counts`` [predicted, true classes]; only where a simulation knows classes to count by."""
    if not isinstance(place, Simulation) or not config.classes:
        return ()
    counts = ArraySpec("int64", (None, len(config.classes)), MOST_CATEGORIES, low=0, high=MOST)
    return (Record(TRUTH, {"counts": counts}, at_delivery=at_delivery, benchmark=True),)


def plan_of_training(config: AnyConfig, number: int) -> RoundPlan:
    """Preparation (of kinds that are standardised over the federation), then training in every round but the last."""
    assert isinstance(config.options, TrainingOptions)
    rate = config.options.learning_rate
    return plan_training(number, config.rounds, prepare=is_standardised(config.kind), learning_rate=rate)
