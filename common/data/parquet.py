"""Data sets in Parquet files: reading and writing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from common.data.dataset import Dataset
from common.data.kind_registry import sample_kind
from common.data.options import ReadOptions
from common.data.table import dataset_from_table, needed_columns
from common.errors import InputError
from common.files import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path, options: ReadOptions) -> Dataset:
    """The samples of a Parquet file; raises InputError for a file that cannot be used."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = str(path)
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            names = _without_index(schema)
            options = options.for_columns(names)
            types = {field.name: field.type for field in schema}
            table = _plain(file.read(columns=needed_columns(names, types, options, source)))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{source} cannot be read as Parquet ({reason}); write or copy the file again.") from error
    return dataset_from_table(table, options, source=source, folder=path.parent)


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write ``dataset`` to ``path`` atomically; ``read_dataset`` gives back the same samples, ids and labels.

    A data set without samples gives a file of the same schema without rows.
    """
    import pyarrow as pa

    kind = sample_kind(dataset.kind)
    column, metadata = kind.to_column(dataset)
    table = pa.table(
        {
            "id": pa.array(dataset.ids, pa.string()),
            kind.column: column,
            "label": pa.array(dataset.labels, pa.string()),
        }
    )
    write_table(table.replace_schema_metadata(metadata) if metadata else table, path)


def write_table(table: "pa.Table", path: Path) -> None:
    """Write any table to ``path`` atomically."""
    import pyarrow.parquet as pq

    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def _plain(table: "pa.Table") -> "pa.Table":
    """The table with dictionary-encoded columns (pandas' categories) spelt out."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table[place].cast(field.type.value_type))
    return table


def _without_index(schema: "pa.Schema") -> list[str]:
    """The columns' names, less those that only hold the index of a pandas frame."""
    try:
        index = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        index = []
    unnamed = {name for name in index if isinstance(name, str) and name.startswith("__index_level_")}
    return [name for name in schema.names if name not in unnamed]
