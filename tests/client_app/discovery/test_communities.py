import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from client_app.discovery.communities import communities, first_appearance
from common.discovery.similarity import Edges


def _edges(pairs, nodes):
    source, target, weight = (np.array([p[i] for p in pairs]) for i in range(3))
    return Edges(source, target, weight.astype(float), np.ones(len(pairs), np.int64), nodes)


def _planted(sizes, seed=0, bridge=0.02):
    """Cliques whose nodes are shuffled, with thin bridges between them."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    pairs = [
        (i, j, 1.0 if truth[i] == truth[j] else bridge)
        for i in range(len(truth))
        for j in range(i + 1, len(truth))
        if truth[i] == truth[j] or rng.random() < 0.1
    ]
    return _edges(pairs, len(truth)), truth


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_a_planted_partition_is_recovered(seed):
    edges, truth = _planted([8, 12, 20, 9])
    assert adjusted_rand_score(truth, communities(edges, 1.0, seed=seed)) == 1


def test_a_larger_resolution_is_coarser():
    pairs = [(i, j, 1.0) for g in range(8) for i in range(5 * g, 5 * g + 5) for j in range(i + 1, 5 * g + 5)]
    pairs += [(5 * g, 5 * ((g + 1) % 8), 1.0) if g < 7 else (0, 35, 1.0) for g in range(8)]
    edges = _edges(pairs, 40)
    found = [communities(edges, r, seed=0).max() + 1 for r in (1.0, 4.0, 20.0)]
    assert found[0] == 8
    assert found[0] > found[1] >= found[2]


def test_weights_count():
    square = [(0, 1), (1, 2), (2, 3), (0, 3)]
    heavy = [[10, 0.1, 10, 0.1], [0.1, 10, 0.1, 10]]
    found = [
        communities(_edges([(*pair, w) for pair, w in zip(square, weights, strict=True)], 4), 1.0, seed=0)
        for weights in heavy
    ]
    assert [f.tolist() for f in found] == [[0, 0, 1, 1], [0, 1, 1, 0]]


def test_isolated_nodes_are_alone_and_numbers_follow_first_appearance():
    edges = _edges([(1, 4, 1.0), (1, 5, 1.0), (4, 5, 1.0)], 8)
    assert communities(edges, 1.0, seed=3).tolist() == [0, 1, 2, 3, 1, 1, 4, 5]


def test_a_graph_without_edges_or_nodes():
    none = np.zeros(0, np.int64)
    assert communities(Edges(none, none, none.astype(float), none, 3), 1.0, seed=0).tolist() == [0, 1, 2]
    assert communities(Edges(none, none, none.astype(float), none, 0), 1.0, seed=0).tolist() == []


def test_the_seed_repeats_the_search():
    rng = np.random.default_rng(0)
    pairs = [(i, j, rng.random()) for i in range(60) for j in range(i + 1, 60) if rng.random() < 0.15]
    edges = _edges(pairs, 60)
    np.testing.assert_array_equal(communities(edges, 1.0, seed=7), communities(edges, 1.0, seed=7))


def test_first_appearance_renumbers():
    assert first_appearance(np.array([9, 2, 9, 5, 2])).tolist() == [0, 1, 0, 2, 1]
