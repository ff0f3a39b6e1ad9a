import numpy as np
import pytest

from common.data.graph import Graph, undirected


@pytest.fixture
def block_graph():
    """240 nodes in blocks of mostly one class each, five classes."""
    n, classes = 240, 5
    rng = np.random.default_rng(0)
    block = np.arange(n) * 12 // n
    labels = np.where(rng.random(n) < 0.6, block % classes, rng.integers(0, classes, n))
    a, b = rng.integers(0, n, (2, 12 * n))
    keep = (block[a] == block[b]) | (rng.random(len(a)) < 0.02)
    names = tuple(f"c{i}" for i in range(classes))
    x = rng.random((n, 6)).astype(np.float32)
    return Graph(x, undirected(a[keep], b[keep], n), labels, names, tuple(map(str, range(n))), "made", {})
