"""Scores of a round, exact, from the clients' count matrices alone (docs/evaluation.md#discovery-scores)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from common.discovery.scores import Counts, mean_scores, score
from common.run.record import Score
from common.settings import AnyConfig


def old_classes(config: AnyConfig) -> list[bool]:
    """For every true class whether it is a seen one."""
    seen = set(config.seen_classes)
    return [name in seen for name in config.classes]


def local_scores(counts: Mapping[str, Counts], config: AnyConfig) -> dict[str, Score] | None:
    """Every client matched by itself, averaged by its number of unlabelled samples; None without any."""
    old = old_classes(config)
    mean = mean_scores([(score(c, old), int(c.sum())) for _, c in sorted(counts.items()) if c.sum()])
    return None if mean.all is None else mean._asdict()


def global_scores(counts: Mapping[str, Counts], config: AnyConfig) -> dict[str, Score] | None:
    """One match for the whole federation: the clients' counts over the same categories, added up; None without any."""
    if not counts:
        return None
    rows = max(len(c) for c in counts.values())
    total = np.zeros((rows, len(config.classes)), dtype=np.int64)
    for c in counts.values():
        total[: len(c)] += c
    return score(total, old_classes(config))._asdict() if total.sum() else None


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
