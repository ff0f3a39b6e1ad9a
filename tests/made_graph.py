"""A graph for tests that is made in a moment and can be learnt."""

import numpy as np

from common.data.graph import Graph, undirected

CLASSES = 5


def made_graph(n: int = 400, seed: int = 0) -> Graph:
    """Blocks of mostly one class, features that tell the class, some nodes without a label."""
    rng = np.random.default_rng(seed)
    block = np.arange(n) * 20 // n
    labels = np.where(rng.random(n) < 0.75, block % CLASSES, rng.integers(0, CLASSES, n))
    x = (rng.random((n, 15)) < 0.1 + 0.5 * (np.arange(15) % CLASSES == labels[:, None])).astype(np.float32)
    a, b = rng.integers(0, n, (2, 10 * n))
    keep = (block[a] == block[b]) & (rng.random(len(a)) < 0.9)
    labels = np.where(rng.random(n) < 0.03, -1, labels)
    names = tuple(f"class-{i}" for i in range(CLASSES))
    return Graph(x, undirected(a[keep], b[keep], n), labels, names, tuple(f"n{i}" for i in range(n)), "made", {})
