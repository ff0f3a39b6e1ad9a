"""Writing data sets and their hidden truth as Parquet, in the formats that are read."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.parquet import FEATURE_NAMES_KEY
from common.errors import InputError
from common.files import write_atomically


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write ``dataset`` to ``path`` atomically; ``read_dataset`` gives back the same samples, ids and labels.

    Images become lossless PNG in a Hugging Face ``image`` column, vectors an ``embedding`` column of
    fixed-size float32 lists. A data set without samples gives a file of the same schema without rows.
    """
    import pyarrow as pa

    column = _image_column(dataset.x) if dataset.kind == "images" else _embedding_column(dataset.x)
    name = "image" if dataset.kind == "images" else "embedding"
    table = pa.table(
        {
            "id": pa.array(dataset.ids, pa.string()),
            name: column,
            "label": pa.array(dataset.labels, pa.string()),
        }
    )
    if dataset.kind == "images":
        text = {"dtype": "string", "_type": "Value"}
        features = {"id": text, "image": {"_type": "Image"}, "label": text}
        table = table.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": features}})})
    elif dataset.columns:
        table = table.replace_schema_metadata({FEATURE_NAMES_KEY: json.dumps(dataset.columns)})
    _write(table, path)


def write_truth(ids: Sequence[str], labels: Sequence[str | None], sites: Sequence[str] | None, path: Path) -> None:
    """Write the true labels to ``path`` atomically: text columns ``id``, ``label`` and, if given, ``site``.

    A label is null where the truth is unknown.
    """
    import pyarrow as pa

    columns = {"id": pa.array(ids, pa.string()), "label": pa.array(labels, pa.string())}
    if sites is not None:
        columns["site"] = pa.array(sites, pa.string())
    _write(pa.table(columns), path)


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


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def _embedding_column(x: NDArray[Any]) -> Any:
    import pyarrow as pa

    flat = np.ascontiguousarray(x, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), x.shape[1])


def _image_column(x: NDArray[Any]) -> Any:
    import pyarrow as pa

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": _png(image), "path": None} for image in x], kind)


def _png(image: NDArray[Any]) -> bytes:
    from PIL import Image

    pixels = image[0] if image.shape[0] == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
