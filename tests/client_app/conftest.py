"""A graph of 12 nodes, small enough to check by hand, and a network on it."""

import numpy as np
import pytest
import torch

from client_app.graphs.neighbourhoods import make_tensors
from common.data.graph import undirected
from common.models.graph_sage import GraphSage

# Tests share the cores with each other: one thread each, as the clients of a simulation have.
torch.set_num_threads(1)


class Small:
    """12 nodes, 5 features, 3 classes; node 11 is isolated."""

    def __init__(self):
        rng = np.random.default_rng(4)
        self.n, self.features, self.classes = 12, 5, 3
        self.x = rng.normal(size=(12, 5)).astype(np.float32)
        self.edges = undirected(rng.integers(0, 11, 20), rng.integers(0, 11, 20), 12)
        self.labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 0])
        self.train = np.array([1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1], dtype=bool)
        self.graph = make_tensors(self.x, self.edges)

    def neighbours(self, node):
        return sorted({int(a) for a, b in self.edges.T if b == node})

    def slow_mean(self, rows):
        """Mean over neighbours, one node and one entry at a time."""
        result = [[0.0] * len(rows[0]) for _ in range(self.n)]
        for node in range(self.n):
            near = self.neighbours(node)
            for j in range(len(rows[0])):
                for other in near:
                    result[node][j] += float(rows[other][j]) / len(near)
        return np.array(result)


@pytest.fixture
def small():
    return Small()


@pytest.fixture
def network(small):
    torch.manual_seed(0)
    return GraphSage(small.features, small.classes).eval()
