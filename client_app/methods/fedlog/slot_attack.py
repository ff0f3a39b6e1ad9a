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
        **measure(
            np.concatenate([slots.x, slots.near, slots.far], axis=1), slots.labels, nodes, labels, members, others
        ),
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
    """``membership_auc`` and ``nearest_ratio`` of condensed rows ``wide`` [m, D] against ``nodes`` [n, D].

    The former is the mean over classes, weighted by their nodes.
    """
    from scipy.spatial.distance import cdist
    from sklearn.metrics import roc_auc_score

    aucs, weights, ratios = [], [], []
    for c in np.unique(slot_labels):  # nodes and slots are compared within a class only
        candidates = np.flatnonzero((labels == c) & (members | others))
        condensed = members[candidates]
        distance = cdist(nodes[candidates], wide[slot_labels == c])
        if condensed.any() and not condensed.all():
            aucs.append(roc_auc_score(condensed, -distance.min(axis=1)))
            weights.append(len(candidates))
        if condensed.sum() > 1:
            first, second = np.partition(distance[condensed], 1, axis=0)[:2]
            ratios.extend(np.divide(first, second, out=np.zeros_like(first), where=second > 0))
    return {
        "membership_auc": float(np.average(aucs, weights=weights)) if aucs else None,
        "nearest_ratio": float(np.median(ratios)) if ratios else None,
    }
