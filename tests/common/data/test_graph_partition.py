"""Cutting a graph into institutions."""

import dataclasses

import numpy as np
import pytest

from common.data.graph import Graph, undirected
from common.data.graph_partition import (
    balanced_groups,
    partition_graph,
    partition_names,
    read_client,
    read_partition,
    write_partition,
)
from common.errors import InputError


def _graph(n=240, classes=5, seed=0):
    """Blocks of mostly one class each."""
    rng = np.random.default_rng(seed)
    block = np.arange(n) * 12 // n
    labels = np.where(rng.random(n) < 0.6, block % classes, rng.integers(0, classes, n))
    a, b = rng.integers(0, n, (2, 12 * n))
    keep = (block[a] == block[b]) | (rng.random(len(a)) < 0.02)
    names = tuple(f"c{i}" for i in range(classes))
    x = rng.random((n, 6)).astype(np.float32)
    return Graph(x, undirected(a[keep], b[keep], n), labels, names, tuple(map(str, range(n))), "made", {})


@pytest.mark.parametrize("clients", [1, 3, 5])
def test_a_partition_keeps_its_promises(clients):
    graph = _graph()
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


def test_no_class_is_hidden_everywhere():
    parts = partition_graph(_graph(), 3, seed=0)
    for c in range(5):
        assert any(c not in part.hidden for part in parts[:-1])


def test_the_same_seed_gives_the_same_partition_and_another_seed_another():
    first, again, other = (partition_graph(_graph(), 3, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.ids, b.ids) for a, b in zip(first, other, strict=True))


def test_communities_go_largest_first_onto_the_smallest_group():
    communities = [np.arange(0, 7), np.arange(7, 12), np.arange(12, 16), np.arange(16, 19)]
    assert [len(g) for g in balanced_groups(communities, 2)] == [10, 9]


def test_a_partition_on_disk_is_the_same(tmp_path):
    parts = partition_graph(_graph(), 2, seed=0)
    write_partition(parts, tmp_path / "p", {"class_names": list("abcde")})
    again = read_partition(tmp_path / "p")
    for one, two in zip(parts, again, strict=True):
        for field in dataclasses.fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name), err_msg=field.name)
    assert partition_names(tmp_path / "p", 5) == tuple("abcde")
    assert partition_names(tmp_path / "p", 4) == ("0", "1", "2", "3")


def test_the_shared_partition_is_read(shared_data):
    parts = read_partition(shared_data / "cora-3")
    assert [len(part) for part in parts] == [447, 381, 499, 677]
    assert [part.hidden.tolist() for part in parts] == [[4, 6], [2, 3], [1, 5], []]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": np.full(240, -1)}, "holds no label"),
        ({"labels": np.zeros(240, np.int64)}, "labels of one class only"),
    ],
)
def test_what_cannot_be_cut_gets_one_sentence(change, told):
    graph = dataclasses.replace(_graph(), **change)
    with pytest.raises(InputError, match=told):
        partition_graph(graph, 3, seed=0)


def test_too_few_nodes_get_one_sentence():
    with pytest.raises(InputError, match="holds 240 nodes, too few for 60 clients"):
        partition_graph(_graph(), 60, seed=0)
    clique = np.array([(a, b) for a in range(20) for b in range(20) if a != b]).T
    labels = np.arange(20) % 2
    whole = Graph(np.ones((20, 2), np.float32), clique, labels, ("a", "b"), tuple(map(str, range(20))), "g", {})
    with pytest.raises(InputError, match="falls into 1 communities, too few"):
        partition_graph(whole, 2, seed=0)
    one = Graph(np.ones((1, 2), np.float32), np.zeros((2, 0), np.int64), np.zeros(1, np.int64), ("a",), ("0",), "g", {})
    with pytest.raises(InputError, match="holds 1 node, too few"):
        partition_graph(one, 1, seed=0)


def test_broken_client_files_get_one_sentence(tmp_path):
    write_partition(partition_graph(_graph(), 2, seed=0), tmp_path / "p", {})
    path = tmp_path / "p" / "client0.npz"
    arrays = dict(np.load(path))
    for changes, told in (
        ({"y": arrays["y"][1:]}, "y has shape"),
        ({"y": arrays["y"] + 5}, "outside 0 to 4"),
        ({"edge_index": arrays["edge_index"] + 200}, "edge_index names node"),
        ({"edge_index": arrays["edge_index"][0]}, "edge_index has shape"),
    ):
        np.savez(path, **{**arrays, **changes})
        with pytest.raises(InputError, match=told):
            read_client(path)
    path.unlink()
    with pytest.raises(InputError, match="holds 0 of the client"):
        read_partition(tmp_path / "p")
    with pytest.raises(InputError, match="is no folder"):
        read_partition(tmp_path / "nowhere")
