"""The kinds of data that there are. A new kind is a module in ``common/data/kinds`` and an entry here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from common.data.kind import DataKind, SampleKind
from common.data.kinds.graphs import GRAPHS
from common.data.kinds.images import IMAGES
from common.data.kinds.vectors import VECTORS
from common.data.options import ReadOptions
from common.errors import InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

KINDS: dict[str, DataKind] = {kind.name: kind for kind in (IMAGES, VECTORS, GRAPHS)}
"""By name; a file, a folder or a table is offered to them in this order."""


def find_kind(name: str) -> DataKind:
    """The kind called ``name``.

    Raises:
        InputError: there is none; names the nearest.
    """
    if name not in KINDS:
        raise InputError(f"unknown kind of data '{name}'; {nearest(name, KINDS)}")
    return KINDS[name]


def sample_kind(name: str) -> SampleKind:
    """The kind called ``name``, for what works on samples.

    Raises:
        InputError: there is none, or its data is no set of samples.
    """
    kind = KINDS.get(name)
    if not isinstance(kind, SampleKind):
        raise InputError("the configuration does not say what kind of data it is for; set kind and sample-shape.")
    return kind


def sample_kinds() -> tuple[SampleKind, ...]:
    """All kinds of samples."""
    return tuple(kind for kind in KINDS.values() if isinstance(kind, SampleKind))


def is_standardised(name: str) -> bool:
    """Whether data of the kind called ``name`` takes a preparation round; not where no kind is set yet."""
    kind = KINDS.get(name)
    return isinstance(kind, SampleKind) and kind.standardised


def own_models() -> tuple[str, ...]:
    """What the setting ``model`` may name beside pretrained backbones."""
    return ("auto", *(kind.model for kind in sample_kinds()))


def kind_of_table(types: Mapping[str, "pa.DataType"], options: ReadOptions) -> SampleKind | None:
    """The kind whose own column a table with these columns has; None where the features are numeric columns."""
    for kind in sample_kinds():
        if kind.column != options.label_column and kind.column in types and kind.is_column(types[kind.column]):
            return kind
    return None
