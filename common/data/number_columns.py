"""Feature vectors from the columns of an Arrow table."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError


def embedding_vectors(column: Any, *, source: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32 ``[n, d]`` from an ``embedding`` column of lists of numbers.

    ``rows[i]`` is the file's row of the i-th value, for messages. Raises InputError where a row is null,
    rows differ in length, or a number is null, NaN or infinite.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    where = f"{source}: column 'embedding'"
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not _is_numeric(kind.value_type):
        raise InputError(f"{where} has type {kind}; it must be a list of numbers, of one length in every row.")
    if column.null_count:
        missing = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise InputError(f"{where} is empty in row {rows[missing]} ({column.null_count} in all); remove such rows.")
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    if (lengths != lengths[0]).any():
        odd = int(np.argmax(lengths != lengths[0]))
        raise InputError(
            f"{where} holds {lengths[odd]} numbers in row {rows[odd]} but {lengths[0]} in row {rows[0]}; "
            "every row needs the same length."
        )
    if lengths[0] == 0:
        raise InputError(f"{where} holds lists without numbers; write at least one number a row.")
    flat = [_to_float32(chunk.flatten()) for chunk in column.chunks]
    x = np.concatenate(flat).reshape(len(column), int(lengths[0]))
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        _refuse_numbers(where, int(bad.sum()), int(rows[int(np.argmax(bad))]), "rows")
    return x


def column_vectors(table: Any, *, source: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32 ``[n, d]`` from a table whose d columns are all features: integers, floats or booleans.

    ``rows`` as above. Raises InputError for a column of text or another type, and for a value that is
    null, NaN or infinite.
    """
    x = np.empty((table.num_rows, table.num_columns), dtype=np.float32)
    for j, name in enumerate(table.column_names):
        column = table.column(j)
        where = f"{source}: column '{name}'"
        if not _is_numeric(column.type) and column.null_count < len(column):
            _refuse_type(where, column, rows)
        x[:, j] = _to_float32(column) if column.null_count < len(column) else np.nan
        bad = ~np.isfinite(x[:, j])
        if bad.any():
            _refuse_numbers(where, int(bad.sum()), int(rows[int(np.argmax(bad))]), "values")
    return x


def _is_numeric(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def _to_float32(column: Any) -> NDArray[np.float32]:
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    values = column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(False)
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite and are refused as such
        return np.asarray(values.astype(np.float32, copy=False), dtype=np.float32)


def _refuse_numbers(where: str, count: int, row: int, what: str) -> None:
    raise InputError(
        f"{where}: {count} {what} empty, NaN or infinite (first in row {row}); fill them in, or remove them."
    )


def _refuse_type(where: str, column: Any, rows: NDArray[np.int64]) -> None:
    values = column.to_pylist()
    first = next((i for i, value in enumerate(values) if value is not None and not is_number(value)), None)
    if first is None:
        first = next(i for i, value in enumerate(values) if value is not None)
    kind = "text" if isinstance(values[first], str) else f"{column.type}"
    raise InputError(
        f"{where}: {kind} in a numeric column (first in row {rows[first]}: {_short(values[first])}); "
        "remove the column or turn it into numbers, or, if it holds the labels, name it with "
        "--set label-column=NAME."
    )


def is_number(value: object) -> bool:
    """Whether the text of ``value`` reads as a number."""
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
