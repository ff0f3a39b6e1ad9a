"""How much a site's slots tell about its nodes: measured at the site, before anything is called private.

Two simple attacks are lower bounds on what is leaked, no more: a low figure proves nothing.
"""

import numpy as np
from numpy.typing import NDArray

from client_app.graphs.neighbourhoods import GraphTensors
from common.methods.fedlog.slots import Slots

FILE = "slot-privacy.json"


def slot_privacy(
    slots: Slots,
    graph: GraphTensors,
    labels: NDArray[np.int64],
    members: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> dict[str, float | int | None]:
    """What leaks, of slots condensed from ``members``.

    Args:
        labels: int64 [n].
        members, others: bool [n], labelled nodes that were condensed, and ones that were not.

    Returns:
        ``membership_auc``: of an attacker who knows a node's features, neighbourhood and class, and guesses that it
        was condensed if it is near to a slot of its class; 0.5 is guessing. ``nearest_ratio``: median over slots of
        the distance to the nearest condensed node over that to the second nearest; near 0, a slot is one node's copy.
        ``smallest_group`` and ``slots``. None where it cannot be told.
    """
    far_NF = graph.mean_over_neighbours(graph.near_NF)
    nodes = np.concatenate([part.cpu().numpy() for part in (graph.x_NF, graph.near_NF, far_NF)], axis=1)
    return {
        **measure(_wide(slots), slots.labels, nodes, labels, members, others),
        "smallest_group": int(slots.counts.min()) if len(slots) else None,
        "slots": len(slots),
    }


def measure(
    wide: NDArray[np.float32],
    slot_labels: NDArray[np.int64],
    nodes: NDArray[np.float32],
    labels: NDArray[np.int64],
    members: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> dict[str, float | int | None]:
    """``membership_auc`` and ``nearest_ratio`` of condensed rows ``wide`` [m, D] against ``nodes`` [n, D]."""
    return {
        "membership_auc": _membership_auc(wide, slot_labels, nodes, labels, members, others),
        "nearest_ratio": _nearest_ratio(wide, slot_labels, nodes, labels, members),
    }


def _wide(slots: Slots) -> NDArray[np.float32]:
    return np.concatenate([slots.x, slots.near, slots.far], axis=1)


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    found: NDArray[np.float64] = cdist(a, b)
    return found


def _membership_auc(
    wide: NDArray[np.float32],
    slot_labels: NDArray[np.int64],
    nodes: NDArray[np.float32],
    labels: NDArray[np.int64],
    members: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> float | None:
    """Mean over classes, weighted by their nodes: only nodes of one class are compared with each other."""
    from sklearn.metrics import roc_auc_score

    aucs, weights = [], []
    for c in np.unique(slot_labels):
        candidates = np.flatnonzero((labels == c) & (members | others))
        truth = members[candidates]
        if truth.all() or not truth.any():
            continue
        nearness = -_distances(nodes[candidates], wide[slot_labels == c]).min(axis=1)
        aucs.append(roc_auc_score(truth, nearness))
        weights.append(len(candidates))
    return float(np.average(aucs, weights=weights)) if aucs else None


def _nearest_ratio(
    wide: NDArray[np.float32],
    slot_labels: NDArray[np.int64],
    nodes: NDArray[np.float32],
    labels: NDArray[np.int64],
    members: NDArray[np.bool_],
) -> float | None:
    ratios = []
    for slot, c in zip(wide, slot_labels, strict=True):
        of_class = np.flatnonzero((labels == c) & members)
        if len(of_class) < 2:
            continue
        first, second = np.partition(_distances(slot[None], nodes[of_class])[0], 1)[:2]
        ratios.append(first / second if second > 0 else 0.0)
    return float(np.median(ratios)) if ratios else None
