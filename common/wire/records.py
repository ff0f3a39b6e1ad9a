"""Names and declarations of the records that the category-discovery methods share."""

from typing import TYPE_CHECKING

from common.wire.contract import ArraySpec, ScalarSpec

if TYPE_CHECKING:
    from common.config import RunConfig

WEIGHTS = "weights"
"""Trainable tensors and buffers, by their names in the network."""
CATALOGUE = "catalogue"
"""Category rows: ``rows`` [m, d], ``counts`` [m], ``names`` [m] (index of a seen class, or -1)."""
STATISTICS = "statistics"
"""Second moments, by consent only: ``sums`` [m, d] and ``counts`` [m] of centred unit features of the catalogue
record's concepts (0 where fewer than 10 are behind one), and one ``scatter`` [d, d] within concepts."""
STATISTICS_SUPPORT = 10
TRUTH = "truth"
"""Benchmarks only: ``counts`` [predicted, true classes] over unlabelled samples."""

RESOLUTIONS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
"""The grid of Infomap resolutions (Markov times): one calibration score each."""

MOST_CATEGORIES = 1024

UNIT = ScalarSpec(0.0, 1.0)
LOSS = ScalarSpec(-1e4, 1e4)
COUNT = ScalarSpec(0, 2**40, whole=True)
SECONDS = ScalarSpec(0, 1e7)

COMMON_METRICS = {
    "site": COUNT,
    "samples": COUNT,
    "labelled": COUNT,
    "seconds": SECONDS,
    "discovery-seconds": SECONDS,
    "loss-total": LOSS,
    "loss-contrastive": LOSS,
    "loss-supervised": LOSS,
    "loss-self-distillation": LOSS,
    "loss-prior-alignment": LOSS,
    "seen-accuracy": UNIT,
    "concepts": COUNT,
    "resolution": ScalarSpec(0, 20),
    "calibration-curve": ScalarSpec(-1.0, 1.0, length=len(RESOLUTIONS)),
    "calibration-labels": COUNT,
    "stability": ScalarSpec(-1.0, 1.0),
    "silhouette": ScalarSpec(-1.0, 1.0),
    "tiny-share": UNIT,
    "prior-drift": UNIT,
}
"""Scalars that a client may report, with their ranges (docs/contract.md; docs/evaluation.md#signs-of-health)."""

CURVE_METRICS = ("calibration-curve", "calibration-labels")
"""Those by which sites borrow each other's calibration; of no use to methods that calibrate nothing together."""
PLAIN_METRICS = {name: spec for name, spec in COMMON_METRICS.items() if name not in CURVE_METRICS}


def weight_specs(config: "RunConfig", head_rows: int) -> dict[str, ArraySpec]:
    """The declaration of every travelling tensor: names, shapes and dtypes fixed by the configuration."""
    from common.models import build_network, travelling

    network = build_network(config, head_rows)
    return {
        name: ArraySpec(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in travelling(network).items()
    }


def catalogue_specs(width: int, seen: int) -> dict[str, ArraySpec]:
    """The declaration of category rows of ``width`` features, named after ``seen`` classes or novel."""
    return {
        "rows": ArraySpec("float32", (None, width), MOST_CATEGORIES),
        "counts": ArraySpec("int64", (None,), MOST_CATEGORIES, low=1, high=2**40),
        "names": ArraySpec("int64", (None,), MOST_CATEGORIES, low=-1, high=seen - 1),
    }


def statistics_specs(width: int) -> dict[str, ArraySpec]:
    """The declaration of category statistics for features of ``width``."""
    return {
        "sums": ArraySpec("float32", (None, width), MOST_CATEGORIES),
        "counts": ArraySpec("int64", (None,), MOST_CATEGORIES, low=0, high=2**40),
        "scatter": ArraySpec("float32", (width, width)),
    }


def truth_specs(config: "RunConfig") -> dict[str, dict[str, ArraySpec]]:
    """The benchmark's count matrix; declared only where the run is a simulation that knows the truth."""
    if not config.classes:
        return {}
    return {TRUTH: {"counts": ArraySpec("int64", (None, len(config.classes)), MOST_CATEGORIES, low=0, high=2**40)}}
