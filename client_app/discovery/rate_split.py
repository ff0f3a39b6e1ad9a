"""Splitting concepts whose parts are labelled at different rates (docs/method.md#label-rate-split).

Where a fixed share of every seen class is labelled, a part of a concept that carries few labels cannot be that
class. This rescues seen classes that a novel one has swallowed, and the other way round. It assumes that labels
are missing at random within a class.
"""

import numpy as np
from numpy.typing import NDArray

from client_app.discovery.calibration import FEWEST_LABELS
from client_app.discovery.communities import communities, first_appearance
from common.discovery.similarity import Edges

SMALLEST_MICRO = 8
FEWEST_SHARE = 0.1
SMALLEST_PART, SHARE_OF_PART = 10, 0.1


def rate_split(
    community: NDArray[np.int64],
    plain: Edges,
    labels: NDArray[np.int64],
    *,
    seed: int,
) -> NDArray[np.int64]:
    """Split communities by the labelled share of the micro-communities inside them.

    Micro-communities come from the label-free graph ``plain`` at resolution 1. One whose share of some seen
    class is at least half the site's typical share is that class, else "rest". A community that holds two or
    more such parts of at least max(10, a tenth of it) samples is split; samples of tiny
    micro-communities stay with the largest part.

    Returns:
        int64 [n], numbered by first appearance.
    """
    if (labels >= 0).sum() < FEWEST_LABELS:
        return community
    part, tiny = _part_of_samples(plain, labels, seed)
    if part is None:
        return community
    split = community.copy()
    fresh = int(community.max()) + 1
    for q in range(fresh):
        members = np.flatnonzero(community == q)
        core = members[~tiny[members]]
        if len(core) < 2 * SMALLEST_PART:
            continue
        kinds, sizes = np.unique(part[core], return_counts=True)
        large = sizes >= max(SMALLEST_PART, SHARE_OF_PART * len(members))
        if large.sum() < 2:
            continue
        main = kinds[large][np.argmax(sizes[large])]
        for kind in kinds[large]:
            if kind != main:
                split[core[part[core] == kind]] = fresh
                fresh += 1
    return first_appearance(split)


def _part_of_samples(
    plain: Edges, labels: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.bool_]]:
    """For every sample the class its micro-community stands for (-1: rest), and whether that one is tiny."""
    micro = communities(plain, 1.0, seed=seed)
    size = np.bincount(micro)
    classes = int(labels.max()) + 1
    rates = np.stack([np.bincount(micro[labels == c], minlength=len(size)) / size for c in range(classes)], axis=1)
    top = rates.max(axis=1)
    usable = size >= SMALLEST_MICRO
    labelled = usable & (top > FEWEST_SHARE)
    tiny = (~usable)[micro] & (labels < 0)
    if not labelled.any():
        return None, tiny
    typical = float(np.median(top[labelled]))
    stands_for = np.where(usable & (top >= typical / 2), rates.argmax(axis=1), -1)
    return np.where(labels >= 0, labels, stands_for[micro]), tiny
