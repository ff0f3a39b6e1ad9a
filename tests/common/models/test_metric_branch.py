"""The metric network and the branches against one query, one synthetic node and one number at a time."""

import math

import numpy as np
import pytest
import torch

from common.models.metric_branch import Embedded, MetricBranch, MetricLayer
from common.models.prototype_sage import PrototypeSage, head_share, scaled

WIDTH, CLASSES, SLOTS, NODES = 6, 3, 2, 12


def _numbers(tensor):
    return tensor.detach().double().tolist()


def _linear(layer, row):
    weight = _numbers(layer.weight)
    bias = [0.0] * len(weight) if layer.bias is None else _numbers(layer.bias)
    return [b + sum(w * x for w, x in zip(line, row, strict=True)) for line, b in zip(weight, bias, strict=True)]


def _silu(row):
    return [x / (1 + math.exp(-x)) for x in row]


def _apart(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def _slow_norm(norm, row):
    mean = sum(row) / len(row)
    spread = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row) + norm.eps)
    return [g * (x - mean) / spread for x, g in zip(row, _numbers(norm.weight), strict=True)]


def _slow_layer(layer, query, near, places, features):
    """The query after one step."""
    moved = list(query)
    for place, feature in zip(places, features, strict=True):
        first = [
            a + b + c
            for a, b, c in zip(
                _linear(layer.from_query, near),
                _linear(layer.from_synthetic, feature),
                _linear(layer.from_distance, [_apart(query, place) / len(query)]),
                strict=True,
            )
        ]
        message = _silu(_linear(layer.message[1], _silu(first)))
        scalar = _linear(layer.step[2], _silu(_linear(layer.step[0], message)))[0]
        moved = [m + (q - p) * scalar / len(places) for m, q, p in zip(moved, query, place, strict=True)]
    return moved


def _slow_branch(branch, query, near, synthetic):
    """Class probabilities of one query; ``synthetic`` [C][s][E]."""
    features = [row for rows in synthetic for row in rows]
    places = [_slow_norm(branch.norm, row) for row in features]
    here = _slow_norm(branch.norm, query)
    for layer in branch.layers:
        here = _slow_layer(layer, here, near, places, features)
    odds = []
    for c, rows in enumerate(synthetic):
        own = places[c * len(rows) : (c + 1) * len(rows)]
        prototype = [sum(column) / len(rows) for column in zip(*own, strict=True)]
        odds.append(math.exp(-_apart(here, prototype)))
    return [odd / sum(odds) for odd in odds]


def _shaken(module):
    """Every tensor at random, so that none is 0, 1 or negligible by its initialisation."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.15 * torch.randn_like(parameter))
    return module


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def _nodes():
    return Embedded(torch.randn(NODES, WIDTH), torch.randn(NODES, WIDTH)), torch.randn(CLASSES, SLOTS, WIDTH)


def test_a_metric_layer_moves_every_query_by_all_synthetic_nodes():
    layer, (query, _) = _shaken(MetricLayer(WIDTH)), _nodes()
    places, features = torch.randn(5, WIDTH), torch.randn(5, WIDTH)
    found = layer(query.own_NE, query.near_NE, places, features)
    for i in range(NODES):
        slow = _slow_layer(
            layer, _numbers(query.own_NE[i]), _numbers(query.near_NE[i]), _numbers(places), _numbers(features)
        )
        np.testing.assert_allclose(_numbers(found[i]), slow, atol=1e-5)
    assert (found - query.own_NE).abs().min(dim=1).values.max() > 1e-6


@pytest.mark.parametrize("metric", [True, False])
def test_a_branch_gives_probabilities_by_distance_to_the_prototypes(metric):
    branch, (query, synthetic) = _shaken(MetricBranch(WIDTH, metric)), _nodes()
    found = branch(query, synthetic).exp()
    for i in range(NODES):
        slow = _slow_branch(branch, _numbers(query.own_NE[i]), _numbers(query.near_NE[i]), _numbers(synthetic))
        np.testing.assert_allclose(_numbers(found[i]), slow, atol=1e-5)


def test_branches_mix_by_degree():
    network = PrototypeSage(WIDTH)
    for branch in network.branches.values():
        branch.norm.weight.data.mul_(0.1)
    query = Embedded(torch.randn(NODES, 64), torch.randn(NODES, 64))
    synthetic = {name: torch.randn(CLASSES, SLOTS, 64) for name in network.branches}
    degrees = list(range(NODES))
    found = network.log_probs(query, synthetic, head_share(torch.tensor(degrees).float())).exp()
    for i, degree in enumerate(degrees):
        share = 1 / (1 + math.exp(-(degree - 4)))
        one = Embedded(query.own_NE[i : i + 1], query.near_NE[i : i + 1])
        head = network.branches["head"](one, synthetic["head"])[0].exp()
        tail = network.branches["tail"](one, synthetic["tail"])[0].exp()
        for c in range(CLASSES):
            assert float(found[i, c]) == pytest.approx(share * float(head[c]) + (1 - share) * float(tail[c]), abs=1e-5)
    alone = PrototypeSage(WIDTH, tail=False)
    assert set(alone.branches) == {"head"}


def test_feature_scaling_draws_each_class_to_the_mean_by_its_own_share():
    x, gamma = torch.randn(CLASSES, SLOTS, 4), torch.tensor([0.0, 0.25, 1.0])
    rows = [row for rows in _numbers(x) for row in rows]
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    found = _numbers(scaled(x, gamma))
    for c, share in enumerate((0.0, 0.25, 1.0)):
        for j in range(SLOTS):
            slow = [v + share * (m - v) for v, m in zip(_numbers(x)[c][j], mean, strict=True)]
            np.testing.assert_allclose(found[c][j], slow, atol=1e-6)
