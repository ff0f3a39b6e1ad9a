"""Matching category rows across clients into one catalogue (docs/method.md#matching).

Rows named after the same seen class are one category. Novel rows are joined by average-link agglomeration,
weighted by counts; a named row never joins a novel one, rows of one client may join (a client can split a
category). The result does not depend on the order of clients.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.discovery.catalogue import Catalogue


@dataclass(frozen=True)
class Matched:
    """The catalogue, and for each row put in the index of its category."""

    catalogue: Catalogue
    category: NDArray[np.int64]


def match_rows(
    rows: NDArray[np.float32],
    names: NDArray[np.int64],
    counts: NDArray[np.int64],
    centre: NDArray[np.float32],
    threshold: float,
) -> Matched:
    """Join ``[m, d]`` rows into K categories: named ones first by class, then novel ones, largest first.

    Args:
        names: [m], index of a seen class or -1.
        counts: [m], samples behind each row.
        centre: [d], the mean features are centred on.
        threshold: centred cosine of weighted means above which two groups of novel rows join.
    """
    unit = centred_rows(rows, centre)
    seen = np.unique(names[names >= 0])
    group = np.searchsorted(seen, names)
    novel = np.flatnonzero(names < 0)
    joined = join_rows(unit[novel], counts[novel].astype(np.float64), threshold)
    sizes = np.bincount(joined, weights=counts[novel], minlength=joined.max(initial=-1) + 1)
    # Ties in size are broken by content, never by the order of clients.
    first = [tuple(map(float, unit[novel][joined == g].sum(axis=0))) for g in range(len(sizes))]
    order = sorted(range(len(sizes)), key=lambda g: (-sizes[g], first[g]))
    group[novel] = len(seen) + np.argsort(order)[joined]
    total = len(seen) + len(order)
    category_names = np.concatenate([seen, np.full(len(order), -1)]).astype(np.int64)
    category_counts = np.bincount(group, weights=counts, minlength=total).astype(np.int64)
    means = np.zeros((total, rows.shape[1]))
    for k in range(total):
        means[k] = _weighted_sum(rows[group == k], counts[group == k])
    return Matched(Catalogue.numbered(_unit(means).astype(np.float32), category_names, category_counts), group)


def agreed_names(
    rows: NDArray[np.float32], names: NDArray[np.int64], site: NDArray[np.int64], centre: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The names [m] that other sites' rows bear out; -1 instead of one that they contradict.

    Where at least three sites name a row after a class, a site's row has to be more like the others' rows of that class
    than unlike them (a centred cosine above 0 with their mean, every site counting once). With fewer nobody can tell.

    Args:
        site: [m], the number of the site that sent each row.
    """
    unit, agreed = centred_rows(rows, centre), names.copy()
    for name in np.unique(names[names >= 0]):
        members = np.flatnonzero(names == name)
        senders = np.unique(site[members])
        if len(senders) < 3:
            continue
        means = {s: unit[members[site[members] == s]].mean(axis=0) for s in senders}
        for row in members:
            others = np.sum([mean for s, mean in means.items() if s != site[row]], axis=0)
            if unit[row] @ others <= 0:
                agreed[row] = -1
    return agreed


def join_rows(unit: NDArray[np.float64], weight: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Average-link agglomeration of unit rows: the weighted mean similarity of two groups is the product of
    their weighted means, so each group is kept as one vector. Returns a group for each row.
    """
    m = len(unit)
    if not m:
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(np.column_stack([unit, weight]).T)
    total = unit[order] * weight[order, None]
    mass = weight[order].copy()
    member = np.arange(m)
    mean = total / mass[:, None]
    similarity = mean @ mean.T
    np.fill_diagonal(similarity, -np.inf)
    while True:
        a, b = divmod(int(similarity.argmax()), m)
        if not similarity[a, b] > threshold:
            break
        a, b = min(a, b), max(a, b)
        total[a] += total[b]
        mass[a] += mass[b]
        mean[a] = total[a] / mass[a]
        member[member == b] = a
        similarity[b, :] = similarity[:, b] = -np.inf
        alive = similarity[a] > -np.inf
        similarity[a, alive] = similarity[alive, a] = mean[alive] @ mean[a]
    result: NDArray[np.int64] = np.unique(member, return_inverse=True)[1][np.argsort(order)]
    return result


def keep_numbers(
    new: Catalogue,
    old: Catalogue,
    next_number: int,
    threshold: float,
    *,
    centres: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> tuple[Catalogue, int]:
    """Give novel categories the numbers they had: Hungarian matching of rows; the unmatched get fresh numbers.

    Args:
        centres: the mean features [d] of the new and of the old catalogue: features move between discoveries.

    Returns:
        the renumbered catalogue and the next free number. A number is never given to another category.
    """
    from scipy.optimize import linear_sum_assignment

    fresh, past = np.flatnonzero(new.names < 0), np.flatnonzero(old.names < 0)
    numbers = new.numbers.copy()
    numbers[fresh] = 0
    if len(fresh) and len(past):
        similarity = centred_rows(new.rows[fresh], centres[0]) @ centred_rows(old.rows[past], centres[1]).T
        for i, j in zip(*linear_sum_assignment(similarity, maximize=True), strict=True):
            if similarity[i, j] > threshold:
                numbers[fresh[i]] = old.numbers[past[j]]
    for k in fresh:
        if numbers[k] == 0:
            numbers[k] = next_number
            next_number += 1
    return Catalogue(new.rows, new.names, numbers, new.counts), next_number


def centred_rows(rows: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows as seen from ``centre``, unit length, float64."""
    return _unit(rows.astype(np.float64) - centre)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _weighted_sum(rows: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Order-independent to the last bit that float32 keeps."""
    order = np.lexsort(np.column_stack([rows, counts]).T)
    total: NDArray[np.float64] = (rows[order].astype(np.float64) * counts[order, None]).sum(axis=0)
    return total
