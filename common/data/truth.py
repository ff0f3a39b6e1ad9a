"""The hidden truth of a data set, in a Parquet file beside it: simulations write it, benchmarks score by it."""

from collections.abc import Sequence
from pathlib import Path

from common.data.parquet import write_table
from common.errors import InputError


def write_truth(ids: Sequence[str], labels: Sequence[str | None], sites: Sequence[str] | None, path: Path) -> None:
    """Write the true labels to ``path`` atomically: text columns ``id``, ``label`` and, if given, ``site``.

    A label is null where the truth is unknown.
    """
    import pyarrow as pa

    columns = {"id": pa.array(ids, pa.string()), "label": pa.array(labels, pa.string())}
    if sites is not None:
        columns["site"] = pa.array(sites, pa.string())
    write_table(pa.table(columns), path)


def read_truth(path: Path) -> dict[str, str]:
    """Class names by sample id, from a file of ``write_truth``; unknown ones are left out.

    Raises InputError for a file that is missing, broken, or without the columns ``id`` and ``label``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise InputError(f"{path} does not exist; give the truth.parquet that belongs to the data.")
    try:
        with pq.ParquetFile(path) as file:
            missing = {"id", "label"} - set(file.schema_arrow.names)
            if missing:
                raise InputError(f"{path} has no column '{min(missing)}'; a truth file holds id and label.")
            table = file.read(columns=["id", "label"])
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet; write or copy the file again.") from error
    pairs = zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True)
    return {str(key): str(label) for key, label in pairs if label is not None}
