"""Communities of a weighted graph by Infomap (the map equation), seeded and two-level."""

import numpy as np
from numpy.typing import NDArray

from common.discovery.similarity import Edges


def communities(edges: Edges, resolution: float, *, seed: int, trials: int = 1) -> NDArray[np.int64]:
    """Community of every node, int64 [n], numbered by first appearance; isolated nodes are alone.

    Args:
        resolution: Infomap's Markov time; larger gives fewer, coarser communities.
        seed: the same seed gives the same communities.
        trials: independent searches, of which Infomap keeps the best.
    """
    from infomap import Infomap

    community = np.full(edges.nodes, -1, dtype=np.int64)
    if len(edges.source):
        search = Infomap(two_level=True, silent=True, seed=seed + 1, num_trials=trials, markov_time=resolution)
        search.add_links(np.column_stack([edges.source, edges.target, edges.weight]))
        for node, module in search.run().modules().items():
            community[node] = module
    alone = np.flatnonzero(community < 0)
    community[alone] = community.max(initial=0) + 1 + np.arange(len(alone))
    return first_appearance(community)


def first_appearance(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber groups 0, 1, 2, ... in the order in which they first occur."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
