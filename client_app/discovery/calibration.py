"""Choosing Infomap's resolution with labels only: how well do communities agree with labels they did not see?

No number of categories and no unlabelled truth enters (docs/method.md#calibration).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from client_app.discovery.communities import communities
from client_app.discovery.refine import refine
from common.discovery.similarity import Edges

FEWEST_LABELS = 16


def calibration_curve(
    edges: Edges,
    labels: NDArray[np.int64],
    resolutions: Sequence[float],
    *,
    hidings: int,
    seed: int,
    refined: bool = True,
) -> NDArray[np.float64] | None:
    """Agreement (adjusted Rand index) with hidden labels at every resolution.

    Half of the labels are hidden from the graph's refinement, ``hidings`` times, and compared with the
    communities.

    Returns:
        float64 [len(resolutions)], or None where there are too few labels (16) or classes (2) to tell.
    """
    from sklearn.metrics import adjusted_rand_score

    labelled = np.flatnonzero(labels >= 0)
    if len(labelled) < FEWEST_LABELS or len(np.unique(labels[labelled])) < 2:
        return None
    curve = np.zeros(len(resolutions))
    for hiding in range(hidings):
        hidden = np.random.default_rng([seed, hiding]).permutation(labelled)[: len(labelled) // 2]
        known = labels.copy()
        known[hidden] = -1
        graph = refine(edges, known) if refined else edges
        for i, resolution in enumerate(resolutions):
            found = communities(graph, resolution, seed=seed)
            curve[i] += adjusted_rand_score(labels[hidden], found[hidden]) / hidings
    return curve


def choose_resolution(
    resolutions: Sequence[float],
    own: NDArray[np.float64] | None,
    own_labels: int,
    federation: NDArray[np.float64] | None,
    *,
    shrinkage: float,
    tolerance: float,
    fallback: float,
) -> float:
    """The coarsest resolution within ``tolerance`` of the best of the site's curve, shrunk to the federation's.

    The blend is (h * own + m * federation) / (h + m) with h hidden labels and m the ``shrinkage``: a site with
    few or no labels borrows. With neither curve the ``fallback`` is taken.
    """
    h = own_labels if own is not None else 0
    m = shrinkage if federation is not None else 0.0
    if own is None or h + m == 0:
        curve = federation
    elif federation is None:
        curve = own
    else:
        curve = (h * own + m * federation) / (h + m)
    if curve is None:
        return fallback
    good = np.flatnonzero(curve >= curve.max() - tolerance - 1e-9)
    best = good[-1] if tolerance > 0 else int(curve.argmax())
    return resolutions[int(best)]
