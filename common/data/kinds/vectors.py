"""Vectors: lists of numbers in an ``embedding`` column, or the numeric columns of a table; an adapter learns."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from common.data.dataset import Dataset
from common.data.description import Description, some
from common.data.kind import SampleKind, TableRows, View
from common.data.number_columns import column_vectors, embedding_vectors

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from common.models.encoder import Encoder

KIND = "vectors"
FEATURE_NAMES_KEY = b"fedlpa.columns"
"""Schema metadata of our own: the columns an ``embedding`` was made of, as a JSON list."""
FEW = 10
"""Rows below which a column may well count them by chance."""


def from_number_columns(table: TableRows) -> Dataset:
    """The samples of a table whose columns are all features."""
    x = column_vectors(table.columns, source=table.source, rows=table.rows)
    return Dataset(KIND, x, table.labels, table.ids, table.source, tuple(table.columns.column_names))


def _is_embedding(column_type: "pa.DataType") -> bool:
    """Not where a column called embedding is in truth one number a row."""
    import pyarrow as pa

    return not (pa.types.is_integer(column_type) or pa.types.is_floating(column_type))


def _from_table(table: TableRows) -> Dataset:
    x = embedding_vectors(table.columns.column(0), source=table.source, rows=table.rows)
    names = _feature_names(table.columns.schema.metadata)
    return Dataset(KIND, x, table.labels, table.ids, table.source, names)


def _feature_names(metadata: Mapping[bytes, bytes] | None) -> tuple[str, ...]:
    try:
        names = json.loads((metadata or {}).get(FEATURE_NAMES_KEY, b"[]"))
    except ValueError:
        return ()
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _to_column(dataset: Dataset) -> tuple["pa.Array", Mapping[bytes, str]]:
    """Fixed-size float32 lists."""
    import pyarrow as pa

    flat = np.ascontiguousarray(dataset.x, dtype=np.float32).reshape(-1)
    column = pa.FixedSizeListArray.from_arrays(pa.array(flat), dataset.x.shape[1])
    return column, {FEATURE_NAMES_KEY: json.dumps(dataset.columns)} if dataset.columns else {}


def _describe(dataset: Dataset) -> Description:
    constant = _column_names(dataset, dataset.x == dataset.x[:1]) if len(dataset) > 1 else ()
    warnings = []
    if constant:
        warnings.append(f"{some(constant)} never changes and carries no information.")
    if len(dataset) >= FEW:
        counted = dataset.x[:1].astype(np.float32) + np.arange(len(dataset), dtype=np.float32)[:, None]
        counting = _column_names(dataset, dataset.x == counted)
        if counting:
            warnings.append(f"{some(counting)} counts the rows: remove it, or name it id.")
    will = (
        f"A residual adapter learns from the {dataset.sample_shape[0]} numbers of a sample.",
        "Each number is standardised by its mean and spread over the federation.",
    )
    return Description(will, tuple(warnings), constant)


def _column_names(dataset: Dataset, true_ND: np.ndarray) -> tuple[str, ...]:
    """Names of the columns that are true in every row of bool [n, d]."""
    columns = np.flatnonzero(true_ND.all(axis=0)).tolist()
    return tuple(dataset.columns[j] if dataset.columns else f"embedding[{j}]" for j in columns)


def _build(shape: tuple[int, ...]) -> "Encoder":
    from common.models.adapter import Adapter

    (d_in,) = shape
    return Adapter(d_in)


def _width(shape: tuple[int, ...]) -> int:
    from common.models.adapter import adapter_width

    return adapter_width(shape[0])


def _view(strength: float, flip: bool) -> View:
    """20 % dropout and noise of 0.1 at strength 0.6, in proportion at others."""
    import torch
    import torch.nn.functional as F

    scale = strength / 0.6

    def view(x: "Tensor") -> "Tensor":
        return F.dropout(x, min(0.9, 0.2 * scale)) + 0.1 * scale * torch.randn_like(x)

    return view


VECTORS = SampleKind(
    name=KIND,
    column="embedding",
    is_column=_is_embedding,
    from_table=_from_table,
    to_column=_to_column,
    describe=_describe,
    model="adapter",
    build=_build,
    width=_width,
    view=_view,
)
