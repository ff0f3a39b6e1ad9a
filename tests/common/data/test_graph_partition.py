"""Cutting a graph into institutions."""

import dataclasses

import numpy as np
import pytest

from common.data.graph import Graph
from common.data.graph_partition import balanced_groups, partition_graph
from common.errors import InputError


@pytest.mark.parametrize("clients", [1, 3, 5])
def test_a_partition_keeps_its_promises(clients, block_graph):
    graph = block_graph
    parts = partition_graph(graph, clients, seed=3)
    assert len(parts) == clients + 1
    everything = np.concatenate([part.ids for part in parts])
    assert sorted(everything.tolist()) == list(range(240))
    for k, part in enumerate(parts):
        n, held_out = len(part), k == clients
        np.testing.assert_array_equal(part.whole_x[:n], part.x)
        np.testing.assert_array_equal(part.whole_y, graph.labels[part.ids])
        np.testing.assert_array_equal(part.whole_x, graph.x[part.ids])
        assert not np.isin(part.y, part.hidden).any()
        np.testing.assert_array_equal(part.missing_classes, np.isin(part.whole_y, part.hidden))
        assert not part.missing_classes[:n].any()
        assert not part.unseen_nodes[:n].any()
        assert not (part.unseen_nodes & part.missing_classes).any()
        assert (part.train.astype(int) + part.validation + part.test == 1).all()
        for c in np.unique(part.y):
            of_class = part.y == c
            assert part.train[of_class].sum() == max(1, round(0.4 * of_class.sum()))
        rest = len(part.ids) - part.missing_classes.sum()
        assert part.unseen_nodes.sum() == (0 if held_out else round(0.15 * rest))
        assert len(part.hidden) == (0 if held_out else 2)
        # The seen graph is the whole graph's edges among its first n nodes, and these are edges of the input.
        inside = part.whole_edges[:, (part.whole_edges < n).all(axis=0)]
        assert set(map(tuple, inside.T)) == set(map(tuple, part.edges.T))
        given = set(map(tuple, graph.edges.T.tolist()))
        assert all(edge in given for edge in map(tuple, part.ids[part.whole_edges].T.tolist()))


def test_no_class_is_hidden_everywhere(block_graph):
    parts = partition_graph(block_graph, 3, seed=0)
    for c in range(5):
        assert any(c not in part.hidden for part in parts[:-1])


def test_the_same_seed_gives_the_same_partition_and_another_seed_another(block_graph):
    first, again, other = (partition_graph(block_graph, 3, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.ids, b.ids) for a, b in zip(first, other, strict=True))


def test_communities_go_largest_first_onto_the_smallest_group():
    communities = [np.arange(0, 7), np.arange(7, 12), np.arange(12, 16), np.arange(16, 19)]
    assert [len(g) for g in balanced_groups(communities, 2)] == [10, 9]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": np.full(240, -1)}, "holds no label"),
        ({"labels": np.zeros(240, np.int64)}, "labels of one class only"),
    ],
)
def test_what_cannot_be_cut_gets_one_sentence(change, told, block_graph):
    graph = dataclasses.replace(block_graph, **change)
    with pytest.raises(InputError, match=told):
        partition_graph(graph, 3, seed=0)


def test_too_few_nodes_get_one_sentence(block_graph):
    with pytest.raises(InputError, match="holds 240 nodes, too few for 60 clients"):
        partition_graph(block_graph, 60, seed=0)
    clique = np.array([(a, b) for a in range(20) for b in range(20) if a != b]).T
    labels = np.arange(20) % 2
    whole = Graph(np.ones((20, 2), np.float32), clique, labels, ("a", "b"), tuple(map(str, range(20))), "g", {})
    with pytest.raises(InputError, match="falls into 1 communities, too few"):
        partition_graph(whole, 2, seed=0)
    one = Graph(np.ones((1, 2), np.float32), np.zeros((2, 0), np.int64), np.zeros(1, np.int64), ("a",), ("0",), "g", {})
    with pytest.raises(InputError, match="holds 1 node, too few"):
        partition_graph(one, 1, seed=0)
