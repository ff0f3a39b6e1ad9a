"""The neighbours' prior, node by node."""

import math

import numpy as np
import torch

from client_app.methods.fedlog.neighbour_prior import SWEEPS, with_neighbours


def _softmax(row):
    top = max(row)
    exps = [math.exp(value - top) for value in row]
    return [value / sum(exps) for value in exps]


def _slow(small, scores, prior, strength, known):
    logs = [[math.log(p) for p in _softmax(row)] for row in scores]
    post = [[s + math.log(p + 1e-6) for s, p in zip(a, b, strict=True)] for a, b in zip(logs, prior, strict=True)]
    for _ in range(SWEEPS):
        belief = [_softmax(row) for row in post]
        for node, label in known.items():
            belief[node] = [1.0 if c == label else 0.0 for c in range(3)]
        post = []
        for node in range(small.n):
            near = small.neighbours(node)
            row = []
            for c in range(3):
                total = strength * prior[node][c] + sum(belief[other][c] for other in near)
                row.append(logs[node][c] + math.log(total / (strength + len(near)) + 1e-6))
            post.append(row)
    return [_softmax(row) for row in post]


def test_sweeps_are_what_loops_compute(small):
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(12, 3, generator=generator)
    prior = torch.rand(12, 3, generator=generator)
    prior = prior / prior.sum(dim=1, keepdim=True)
    for known in ({}, {2: 0, 9: 2}):
        nodes, labels = (
            torch.tensor(list(known), dtype=torch.int64),
            torch.tensor(list(known.values()), dtype=torch.int64),
        )
        found = with_neighbours(small.graph, scores, prior.log(), 3.0, nodes, labels)
        slow = _slow(small, scores.tolist(), prior.tolist(), 3.0, known)
        np.testing.assert_allclose(found.softmax(dim=1).numpy(), slow, atol=1e-5)


def test_a_node_without_neighbours_keeps_its_own_prior(small):
    scores, prior = torch.zeros(12, 3), torch.tensor([0.2, 0.5, 0.3]).expand(12, 3)
    found = with_neighbours(small.graph, scores, prior.log(), 2.0)[11].softmax(dim=0)
    np.testing.assert_allclose(found.numpy(), [0.2, 0.5, 0.3], atol=1e-4)


def test_a_node_among_labelled_ones_takes_their_class(small):
    node = next(i for i in range(12) if len(small.neighbours(i)) >= 3)
    near = torch.tensor(small.neighbours(node))
    found = with_neighbours(small.graph, torch.zeros(12, 3), torch.zeros(12, 3), 1.0, near, torch.full_like(near, 2))
    assert found[node].argmax() == 2
