"""The record of category statistics, from which the server makes a linear discriminant; by consent only."""

from common.methods.discovery_common import MOST_CATEGORIES
from common.settings import AnyConfig
from common.wire.contract import ArraySpec, Record
from common.wire.records import MOST

STATISTICS = "statistics"
"""Second moments: ``sums`` [m, d] and ``counts`` [m] of centred unit features of the catalogue record's concepts
(0 where fewer than ``STATISTICS_SUPPORT`` are behind one), and one ``scatter`` [d, d] within concepts."""
STATISTICS_SUPPORT = 10


def statistics_record(config: AnyConfig) -> Record:
    """The declaration of category statistics."""
    from common.models import feature_width

    width = feature_width(config)
    arrays = {
        "sums": ArraySpec("float32", (None, width), MOST_CATEGORIES),
        "counts": ArraySpec("int64", (None,), MOST_CATEGORIES, low=0, high=MOST),
        "scatter": ArraySpec("float32", (width, width)),
    }
    return Record(STATISTICS, arrays, switch="category-statistics=false", consent=True)
