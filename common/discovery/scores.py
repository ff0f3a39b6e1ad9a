"""Clustering accuracy over All / Old / New samples (docs/evaluation.md#discovery-scores)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Counts = NDArray[np.int64]
"""``[predicted, true]``: how many samples of a true class got a predicted category."""


class Scores(NamedTuple):
    """Fractions in [0, 1]; None where there is no such sample."""

    all: float | None
    old: float | None
    new: float | None


def count_matrix(predicted: NDArray[np.int64], true: NDArray[np.int64], shape: tuple[int, int]) -> Counts:
    """Count matrix of two integer label vectors; entries with a negative ``true`` are left out."""
    known = true >= 0
    flat = predicted[known] * shape[1] + true[known]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)


def match(counts: Counts) -> dict[int, int]:
    """The one-to-one matching of predicted to true labels that agrees on most samples (Hungarian)."""
    predicted, true = linear_sum_assignment(counts, maximize=True)
    return dict(zip(predicted.tolist(), true.tolist(), strict=True))


def score(counts: Counts, old: Sequence[bool]) -> Scores:
    """Match once over all samples, then split the accuracy by whether the true class is seen.

    Args:
        counts: ``[predicted, true]``; the number of rows and columns may differ.
        old: for each true class whether it is a seen one.
    """
    matching = match(counts)
    correct = np.zeros(counts.shape[1], dtype=np.int64)
    for predicted, true in matching.items():
        correct[true] = counts[predicted, true]
    total = counts.sum(axis=0)
    seen = np.asarray(old, dtype=bool)

    def share(columns: NDArray[np.bool_]) -> float | None:
        n = int(total[columns].sum())
        return float(correct[columns].sum() / n) if n else None

    return Scores(share(np.ones_like(seen)), share(seen), share(~seen))


def weighted_mean(pairs: Iterable[tuple[float | None, float]]) -> float | None:
    """Mean of the values that are there, each given with its weight; None where nothing weighs anything."""
    known = [(value, weight) for value, weight in pairs if value is not None and weight > 0]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def mean_scores(parts: Sequence[tuple[Scores, int]]) -> Scores:
    """Average over clients, weighted by their samples; a client without Old (New) samples has no say there.

    To count its missing score as zero would mark it down for what it does not hold.
    """
    return Scores(*(weighted_mean((part[i], n) for part, n in parts) for i in range(3)))
