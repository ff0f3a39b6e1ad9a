"""A site's own result: the category of every sample, written to the site's disk."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.parquet import write_table

FILE = "predictions.parquet"


def write_predictions(
    path: Path,
    ids: tuple[str, ...],
    categories: list[str],
    novel: NDArray[np.bool_],
    confidence: NDArray[np.float32],
) -> None:
    """Write ``id``, ``category``, ``is_novel``, ``confidence``: the columns of ``fedlpa predict``."""
    import pyarrow as pa

    table = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "category": pa.array(categories, pa.string()),
            "is_novel": pa.array(novel, pa.bool_()),
            "confidence": pa.array(confidence, pa.float32()),
        }
    )
    write_table(table, path)
