"""What a deployed federation reached: the sites' own predictions against the truth that only the test knows."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from federation import Federation
from scipy.optimize import linear_sum_assignment


def global_accuracy(federation: Federation, data: Path) -> float:
    """One match of categories with true classes over all unlabelled samples of all sites.

    ``data`` is what ``fedlpa partition`` wrote; the same number is ``final.global.all`` of a simulation.
    """
    truth = {row["id"]: row["label"] for row in pq.read_table(data / "truth.parquet").to_pylist()}
    pairs = []
    for site in federation.sites:
        labels = pq.read_table(federation.site(site) / "data.parquet").to_pylist()
        unlabelled = {row["id"] for row in labels if row["label"] is None}
        for row in pq.read_table(federation.state(site) / "predictions.parquet").to_pylist():
            if row["id"] in unlabelled:
                pairs.append((row["category"], truth[row["id"]]))
    categories = sorted({category for category, _ in pairs})
    classes = sorted({label for _, label in pairs})
    counts = np.zeros((len(categories), len(classes)), dtype=int)
    for category, label in pairs:
        counts[categories.index(category), classes.index(label)] += 1
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / counts.sum())
