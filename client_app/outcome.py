"""How a site's samples turned out: its predictions on its disk, and in benchmarks their counts by truth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from client_app.evaluation import count_truth
from client_app.method import Task
from common.discovery.catalogue import category_labels
from common.run.predictions import FILE, write_predictions
from common.settings import Options
from common.wire.records import Records


def conclude(
    task: Task[Options],
    names_K: NDArray[np.int64],
    numbers_K: NDArray[np.int64],
    category_N: NDArray[np.int64],
    confidence_N: NDArray[np.float32],
) -> Records:
    """Write ``predictions.parquet`` and return the benchmark's counts, if any.

    Args:
        names_K, numbers_K: of the categories, as in the catalogue: index of a seen class or -1; novel number.
        category_N, confidence_N: of the site's samples.
    """
    labels = category_labels(names_K, numbers_K, task.config.seen_classes)
    named = [labels[k] for k in category_N.tolist()]
    write_named(task, named, names_K[category_N] < 0, confidence_N, task.data.known_labels)
    return count_truth(task.data, category_N, len(labels), len(task.config.classes))


def write_named(
    task: Task[Options],
    names: Sequence[str],
    novel_N: NDArray[np.bool_],
    confidence_N: NDArray[np.float32],
    labels_N: NDArray[np.int64],
) -> None:
    """Write ``predictions.parquet``; a sample whose label is known (not -1) has that label, at confidence 1."""
    seen, known = task.config.seen_classes, labels_N >= 0
    named = [seen[label] if label >= 0 else name for name, label in zip(names, labels_N.tolist(), strict=True)]
    confidence = np.where(known, np.float32(1), confidence_N).astype(np.float32)
    write_predictions(task.site.folder / FILE, task.data.ids, named, novel_N & ~known, confidence)
