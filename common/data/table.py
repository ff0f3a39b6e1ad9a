"""A data set from an Arrow table: which column is what."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.images import decode_images
from common.data.labels import class_label_names, label_names
from common.data.options import ReadOptions
from common.data.subset import choose_rows
from common.data.vectors import column_vectors, embedding_vectors
from common.errors import InputError, nearest


def dataset_from_table(
    table: Any, options: ReadOptions, *, source: str, folder: Path, feature_names: tuple[str, ...] = ()
) -> Dataset:
    """The data set in a ``pyarrow.Table``.

    ``folder`` is where the paths of an image column start; ``feature_names`` are the names an ``embedding``
    column was once read from. Raises InputError for whatever cannot be read.
    """
    check_columns(table.column_names, options, source)
    if table.num_rows == 0:
        raise InputError(f"{source} holds no rows; give it at least one sample.")
    rows = choose_rows(table.num_rows, options)
    if len(rows) < table.num_rows:
        table = table.take(rows)
    labels = _labels(table, options, source, rows)
    ids = _ids(table, source, rows)
    main = main_column({field.name: field.type for field in table.schema}, options)
    if main == "image":
        return _images(table.column("image"), labels, ids, options, source, folder, rows)
    if main == "embedding":
        x = embedding_vectors(table.column("embedding"), source=source, rows=rows)
        return Dataset("vectors", x, labels, ids, source, feature_names)
    features = tuple(name for name in table.column_names if name not in (options.label_column, "id"))
    x = column_vectors(table.select(list(features)), source=source, rows=rows)
    return Dataset("vectors", x, labels, ids, source, features)


def check_columns(names: list[str], options: ReadOptions, source: str) -> None:
    """Raise InputError unless the columns' names hold something to learn from and the label asked for."""
    listed = ", ".join(names) or "none"
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{source}: the column '{twice[0]}' occurs more than once; rename one of them.")
    if options.label_column != "label" and options.label_column not in names:
        raise InputError(
            f"{source} has no column '{options.label_column}' for the labels; {nearest(options.label_column, names)}"
        )
    if not set(names) - {options.label_column, "id"}:
        raise InputError(
            f"{source} holds nothing to learn from (columns: {listed}); give it an 'image' column, "
            "an 'embedding' column or numeric columns."
        )


def main_column(types: dict[str, Any], options: ReadOptions) -> str | None:
    """The column that holds all of a sample: ``image``, else ``embedding``; None where the features are
    numeric columns. ``types`` are the columns' Arrow types by name.
    """
    if "image" in types and options.label_column != "image":
        return "image"
    if "embedding" in types and options.label_column != "embedding" and not _is_plain(types["embedding"]):
        return "embedding"
    return None


def _is_plain(kind: Any) -> bool:
    """Whether a column called embedding is in truth one number a row."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _labels(table: Any, options: ReadOptions, source: str, rows: NDArray[np.int64]) -> tuple[str | None, ...]:
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


def _ids(table: Any, source: str, rows: NDArray[np.int64]) -> tuple[str, ...]:
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


def _images(
    column: Any,
    labels: tuple[str | None, ...],
    ids: tuple[str, ...],
    options: ReadOptions,
    source: str,
    folder: Path,
    rows: NDArray[np.int64],
) -> Dataset:
    decoded = decode_images(
        _encoded(column, source, folder),
        [f"column 'image', row {row}" for row in rows.tolist()],
        source=source,
        image_size=options.image_size,
        skip_bad=options.skip_bad_images,
    )
    kept = decoded.kept.tolist()
    return Dataset(
        kind="images",
        x=decoded.x,
        labels=tuple(labels[i] for i in kept),
        ids=tuple(ids[i] for i in kept),
        source=source,
        skipped=decoded.skipped,
    )


def _encoded(column: Any, source: str, folder: Path) -> list[bytes | Path | None]:
    """The content of every image, or where it lies."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if types.is_binary(column.type) or types.is_large_binary(column.type):
        return list(column.to_pylist())
    fields = {field.name for field in column.type} if types.is_struct(column.type) else set()
    if not fields & {"bytes", "path"}:
        raise InputError(
            f"{source}: column 'image' has type {column.type}; it must hold encoded image files, as bytes or "
            "as Hugging Face's struct of bytes and path."
        )
    nothing = [None] * len(column)
    contents = pc.struct_field(column, "bytes").to_pylist() if "bytes" in fields else nothing
    paths = pc.struct_field(column, "path").to_pylist() if "path" in fields else nothing
    return [
        content if content is not None else folder / path if path else None
        for content, path in zip(contents, paths, strict=True)
    ]
