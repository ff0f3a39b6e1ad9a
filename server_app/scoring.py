"""Scores of a round, exact, from the clients' count matrices alone (docs/evaluation.md#discovery-scores)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.discovery.scores import Counts, Scores, mean_scores, score
from common.settings import AnyConfig


def old_classes(config: AnyConfig) -> list[bool]:
    """For every true class whether it is a seen one."""
    seen = set(config.seen_classes)
    return [name in seen for name in config.classes]


def local_scores(counts: Mapping[str, Counts], config: AnyConfig) -> Scores:
    """Every client matched by itself, averaged by its number of unlabelled samples."""
    old = old_classes(config)
    return mean_scores([(score(c, old), int(c.sum())) for _, c in sorted(counts.items()) if c.sum()])


def global_scores(counts: Mapping[str, Counts], config: AnyConfig) -> Scores | None:
    """One match for the whole federation: the clients' counts over the same categories, added up."""
    if not counts:
        return None
    rows = max(len(c) for c in counts.values())
    total = np.zeros((rows, len(config.classes)), dtype=np.int64)
    for c in counts.values():
        total[: len(c)] += c
    return score(total, old_classes(config)) if total.sum() else None


def score_dict(scores: Scores | None) -> dict[str, Any] | None:
    """JSON form, None where there is nothing to score."""
    return None if scores is None or scores.all is None else scores._asdict()


def by_category(counts: Counts, own: NDArray[np.int64], k: int) -> Counts:
    """Counts by a site's concepts -> by the k categories that the ``own`` first of them became; the others follow."""
    result = np.zeros((k + len(counts) - len(own), counts.shape[1]), dtype=np.int64)
    np.add.at(result, own, counts[: len(own)])
    result[k:] = counts[len(own) :]
    return result


def apart(counts: Mapping[str, Counts], k: int) -> dict[str, Counts]:
    """The counts with rows of its own for what a site kept to itself, the rows from ``k`` on.

    In a match for the whole federation it is nobody else's category.
    """
    result, start = dict(counts), k
    for site, c in sorted(counts.items()):
        if len(c) > k:
            result[site] = np.insert(c, np.full(start - k, k), 0, axis=0)
            start += len(c) - k
    return result
