"""Data sets in Parquet files."""

import json
from pathlib import Path
from typing import Any

from common.data.dataset import Dataset
from common.data.options import ReadOptions
from common.data.table import check_columns, dataset_from_table, main_column
from common.errors import InputError

FEATURE_NAMES_KEY = b"fedlpa.columns"
"""Schema metadata of our own: the columns an ``embedding`` was made of, as a JSON list."""


def read_parquet(path: Path, options: ReadOptions) -> Dataset:
    """The images or vectors of a Parquet file; raises InputError for a file that cannot be used."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = str(path)
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            names = _without_index(schema)
            check_columns(names, options, source)
            main = main_column({name: schema.field(name).type for name in names}, options)
            if main is not None:
                names = [name for name in names if name in (main, "id", options.label_column)]
            table = _plain(file.read(columns=names))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{source} cannot be read as Parquet ({reason}); write or copy the file again.") from error
    return dataset_from_table(
        table, options, source=source, folder=path.parent, feature_names=_feature_names(table.schema.metadata)
    )


def _plain(table: Any) -> Any:
    """The table with dictionary-encoded columns (pandas' categories) spelt out."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table[place].cast(field.type.value_type))
    return table


def _without_index(schema: Any) -> list[str]:
    """The columns' names, less those that only hold the index of a pandas frame."""
    try:
        index = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        index = []
    unnamed = {name for name in index if isinstance(name, str) and name.startswith("__index_level_")}
    return [name for name in schema.names if name not in unnamed]


def _feature_names(metadata: dict[bytes, bytes] | None) -> tuple[str, ...]:
    try:
        names = json.loads((metadata or {}).get(FEATURE_NAMES_KEY, b"[]"))
    except ValueError:
        return ()
    return tuple(str(name) for name in names) if isinstance(names, list) else ()
