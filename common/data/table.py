"""A data set from an Arrow table: which column is what."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.kind import TableRows
from common.data.kind_registry import kind_of_table, sample_kinds
from common.data.kinds.vectors import from_number_columns
from common.data.labels import class_label_names, label_names
from common.data.options import ReadOptions
from common.errors import InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa


def dataset_from_table(table: "pa.Table", options: ReadOptions, *, source: str, folder: Path) -> Dataset:
    """The data set in a table; ``folder`` is where the paths in it start.

    Raises InputError for whatever cannot be read.
    """
    types = {field.name: field.type for field in table.schema}
    needed = needed_columns(table.column_names, types, options, source)
    if table.num_rows == 0:
        raise InputError(f"{source} holds no rows; give it at least one sample.")
    rows = options.choose_rows(table.num_rows)
    if len(rows) < table.num_rows:
        table = table.take(rows)
    columns = table.select([name for name in needed if name not in (options.label_column, "id")])
    labels = _labels(table, options, source, rows)
    found = TableRows(columns, rows, labels, _ids(table, source, rows), source, folder, options)
    kind = kind_of_table(types, options)
    return from_number_columns(found) if kind is None else kind.from_table(found)


def needed_columns(
    names: list[str], types: Mapping[str, "pa.DataType"], options: ReadOptions, source: str
) -> list[str]:
    """The columns that samples, ids and labels are in: those of one kind, or all where the features are numeric ones.

    Raises InputError unless the columns' names hold something to learn from and the label asked for.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{source}: the column '{twice[0]}' occurs more than once; rename one of them.")
    if options.label_column != "label" and options.label_column not in names:
        raise InputError(
            f"{source} has no column '{options.label_column}' for the labels; {nearest(options.label_column, names)}"
        )
    if not set(names) - {options.label_column, "id"}:
        own = ", ".join(f"{_article(kind.column)} '{kind.column}' column" for kind in sample_kinds())
        raise InputError(
            f"{source} holds nothing to learn from (columns: {', '.join(names) or 'none'}); give it {own} or "
            "numeric columns."
        )
    kind = kind_of_table(types, options)
    return names if kind is None else [name for name in names if name in (kind.column, "id", options.label_column)]


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def _labels(table: "pa.Table", options: ReadOptions, source: str, rows: NDArray[np.int64]) -> tuple[str | None, ...]:
    name = options.label_column
    if name not in table.column_names:
        return (None,) * len(rows)
    return label_names(
        table.column(name).to_pylist(),
        known=class_label_names(table.schema.metadata, name),
        source=source,
        column=name,
        rows=rows.tolist(),
    )


def _ids(table: "pa.Table", source: str, rows: NDArray[np.int64]) -> tuple[str, ...]:
    if "id" not in table.column_names:
        return tuple(str(row) for row in rows.tolist())
    seen: dict[str, int] = {}
    for row, value in zip(rows.tolist(), table.column("id").to_pylist(), strict=True):
        where = f"{source}: column 'id', row {row}"
        if value is None or value == "":
            raise InputError(f"{where} is empty; give every row an id of its own, or remove the column.")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InputError(f"{where}: {value!r} is neither text nor a whole number; write ids as text.")
        first = seen.setdefault(str(value), row)
        if first != row:
            raise InputError(f"{where}: the id '{value}' is already that of row {first}; ids must be unique.")
    return tuple(seen)
