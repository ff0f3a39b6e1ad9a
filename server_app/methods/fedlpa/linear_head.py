"""Linear discriminant analysis from the sites' added-up statistics (docs/method.md#category-statistics)."""

import numpy as np
from numpy.typing import NDArray

SHRINKAGE = 0.1
TEMPERATURE = 3.0


def linear_head(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    scatter: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Weights and bias ``[K, d + 1]`` of the discriminant with one covariance for all categories.

    The covariance is shrunk: 0.9 S + 0.1 mean(diag S) I; logits are divided by 3, for features of a trained network
    are more certain than they should be.

    Args:
        sums: [K, d] of centred unit features; counts: [K].
        scatter: [d, d] within categories, added over sites.
        rows: [K, d] centred unit category rows, which stand in where a category has no statistics.
    """
    d = sums.shape[1]
    covariance = scatter / max(1, int(counts.sum()))
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * max(np.trace(covariance) / d, 1e-9) * np.eye(d)
    known = counts > 0
    means = np.zeros_like(sums)
    means[known] = sums[known] / counts[known, None]
    length = np.linalg.norm(means[known], axis=1).mean() if known.any() else 1.0
    means[~known] = rows[~known] * length
    weights = np.linalg.solve(covariance, means.T).T
    bias = -0.5 * (weights * means).sum(axis=1)
    return (np.column_stack([weights, bias]) / TEMPERATURE).astype(np.float32)
