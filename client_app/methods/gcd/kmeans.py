"""Semi-supervised k-means (GCD, CVPR 2022): labelled samples stay with their class, the others move."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clusters:
    """K clusters of n samples: ``assigned`` [n], ``centroids`` [K, d], and the sum of squared distances to them.

    The first clusters are those of the labelled classes, in the order of ``names``; the rest are named -1.
    """

    assigned: NDArray[np.int64]
    centroids: NDArray[np.float64]
    names: NDArray[np.int64]
    inertia: float


def semi_supervised_kmeans(
    x: NDArray[np.floating],
    labels: NDArray[np.int64],
    k: int,
    *,
    seed: int,
    trials: int,
    steps: int = 300,
    start: NDArray[np.floating] | None = None,
) -> Clusters:
    """K clusters of ``x`` [n, d]; every labelled sample is in its class's cluster.

    The classes' centroids start at the means of their labelled samples, the others by k-means++ on the unlabelled
    samples given those; the tightest of ``trials`` results stands.

    Args:
        labels: int64 [n], -1 where unlabelled. With none labelled this is plain k-means.
        k: number of clusters; as many as there are labelled classes and samples to found others, if that differs.
        start: centroids [k - classes, d] of the unnamed clusters to start one single trial from.
    """
    points = x.astype(np.float64)
    names, codes = np.unique(labels[labels >= 0], return_inverse=True)
    fixed = np.full(len(points), -1, dtype=np.int64)
    fixed[labels >= 0] = codes
    class_means = [points[fixed == c].mean(axis=0) for c in range(len(names))]
    free = points[fixed < 0]
    wanted = max(0, min(k - len(names), len(free)))
    rng = np.random.default_rng(seed)
    found: list[Clusters] = []
    for _ in range(trials if start is None and wanted else 1):
        unnamed = _plus_plus(free, class_means, wanted, rng) if start is None else list(start.astype(np.float64))
        found.append(_lloyd(points, fixed, np.array(class_means + unnamed), names, steps))
    return min(found, key=lambda clusters: clusters.inertia)


def _plus_plus(
    free: NDArray[np.float64], given: list[NDArray[np.float64]], wanted: int, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """``wanted`` of the ``free`` points, drawn by squared distance to the centroids so far."""
    chosen: list[NDArray[np.float64]] = []
    distance = np.full(len(free), np.inf)
    for centroid in given:
        distance = np.minimum(distance, ((free - centroid) ** 2).sum(axis=1))
    for _ in range(wanted):
        weight = distance if given or chosen else np.ones(len(free))
        total = float(weight.sum())
        index = rng.choice(len(free), p=weight / total) if total > 0 else rng.integers(len(free))
        chosen.append(free[index])
        distance = np.minimum(distance, ((free - free[index]) ** 2).sum(axis=1))
    return chosen


def _lloyd(
    points: NDArray[np.float64],
    fixed: NDArray[np.int64],
    centroids: NDArray[np.float64],
    names: NDArray[np.int64],
    steps: int,
) -> Clusters:
    """Assign and average until nothing moves; a cluster that loses its last sample keeps its place."""
    assigned = np.full(len(points), -1, dtype=np.int64)
    for _ in range(steps):
        moved = np.where(fixed >= 0, fixed, squared_distances(points, centroids).argmin(axis=1))
        if np.array_equal(moved, assigned):
            break
        assigned = moved
        counts = np.bincount(assigned, minlength=len(centroids))
        sums = np.zeros_like(centroids)
        np.add.at(sums, assigned, points)
        centroids = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids)
    inertia = float(((points - centroids[assigned]) ** 2).sum())
    names = np.concatenate([names, np.full(len(centroids) - len(names), -1)]).astype(np.int64)
    return Clusters(assigned, centroids, names, inertia)


def squared_distances(points: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """``[n, K]``, up to a constant of each point."""
    result: NDArray[np.float64] = (centroids**2).sum(axis=1) - 2 * points @ centroids.T
    return result
