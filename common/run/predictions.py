"""A site's own result: the category of every sample, written to the site's disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.parquet import write_table

FILE = "predictions.parquet"


@dataclass(frozen=True)
class SitePredictions:
    """What ``write_predictions`` wrote of n samples; a confidence that is not known is NaN."""

    ids: list[str]
    categories: NDArray[np.object_]
    novel: NDArray[np.bool_]
    confidence: NDArray[np.float32]


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


def read_predictions(path: Path) -> SitePredictions:
    """Read a file of ``write_predictions``."""
    import pyarrow.parquet as pq

    columns = pq.read_table(path, columns=["id", "category", "is_novel", "confidence"]).to_pydict()
    return SitePredictions(
        ids=list(map(str, columns["id"])),
        categories=np.array(list(map(str, columns["category"])), dtype=np.object_),
        novel=np.array(columns["is_novel"], dtype=np.bool_),
        confidence=np.array(columns["confidence"], dtype=np.float32),
    )
