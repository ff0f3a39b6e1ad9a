"""Graph files: what is read, and the one sentence that every bad graph gets."""

import numpy as np
import pytest
import scipy.sparse as sp

from common.data.graph import read_graph, write_graph
from common.errors import InputError


def _arrays(n=6, features=4):
    """A path graph written in one direction only, with a self-loop and a duplicate."""
    source, target = np.array([0, 1, 2, 3, 2, 0]), np.array([1, 2, 3, 4, 2, 1])
    adjacency = sp.csr_matrix((np.ones(6, np.float32), (source, target)), shape=(n, n))
    attributes = sp.csr_matrix(np.arange(n * features, dtype=np.float32).reshape(n, features))
    return {
        "adj_data": adjacency.data,
        "adj_indices": adjacency.indices,
        "adj_indptr": adjacency.indptr,
        "adj_shape": np.array([n, n]),
        "attr_data": attributes.data,
        "attr_indices": attributes.indices,
        "attr_indptr": attributes.indptr,
        "attr_shape": np.array([n, features]),
        "labels": np.array([0, 1, 0, -1, 1, 0], dtype=np.int8),
    }


def _saved(folder, **changes):
    arrays = {name: value for name, value in {**_arrays(), **changes}.items() if value is not None}
    np.savez(folder / "g.npz", **arrays)
    return folder / "g.npz"


def test_a_graph_is_symmetrised_without_loops_and_duplicates(tmp_path):
    graph = read_graph(_saved(tmp_path))
    pairs = set(map(tuple, graph.edges.T.tolist()))
    assert pairs == {(a, b) for a, b in [(0, 1), (1, 2), (2, 3), (3, 4)]} | {(1, 0), (2, 1), (3, 2), (4, 3)}
    assert graph.edges.shape[1] == len(pairs)
    assert graph.x.tolist() == np.arange(24).reshape(6, 4).tolist()
    assert graph.labels.tolist() == [0, 1, 0, -1, 1, 0]
    assert graph.class_names == ("0", "1")


def test_a_dense_x_is_read_as_attributes(tmp_path):
    sparse = {name: None for name in _arrays() if name.startswith("attr_")}
    graph = read_graph(_saved(tmp_path, **sparse, x=np.ones((6, 3))))
    assert graph.x.shape == (6, 3)
    assert graph.x.dtype == np.float32


def test_writing_and_reading_gives_the_same_graph(tmp_path):
    masks = {"train_mask": np.array([1, 1, 0, 0, 0, 0], bool), "val_mask": np.array([0, 0, 1, 0, 0, 0], bool)}
    graph = read_graph(_saved(tmp_path, class_names=np.array(["a", "b"]), **masks))
    write_graph(graph, tmp_path / "again.npz")
    again = read_graph(tmp_path / "again.npz")
    for name in ("x", "edges", "labels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(graph, name))
    assert (again.class_names, again.ids) == (("a", "b"), graph.ids)
    assert again.masks["val_mask"].tolist() == masks["val_mask"].tolist()


def test_one_node_isolated_nodes_and_absent_classes_are_graphs_too(tmp_path):
    empty = {"adj_data": np.zeros(0), "adj_indices": np.zeros(0, np.int32)}
    lone = read_graph(
        _saved(
            tmp_path,
            **empty,
            adj_indptr=np.zeros(2, np.int32),
            adj_shape=np.array([1, 1]),
            attr_data=np.ones(2, np.float32),
            attr_indices=np.array([0, 1], np.int32),
            attr_indptr=np.array([0, 2], np.int32),
            attr_shape=np.array([1, 4]),
            labels=np.array([2]),
        )
    )
    assert (len(lone), lone.edges.shape, lone.class_names) == (1, (2, 0), ("0", "1", "2"))
    isolated = read_graph(_saved(tmp_path, **empty, adj_indptr=np.zeros(7, np.int32)))
    assert isolated.edges.shape == (2, 0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": None}, "has no array 'labels'"),
        ({"adj_indptr": None}, "has no array 'adj_indptr'"),
        ({"attr_data": None}, "has no array 'attr_data'"),
        ({"adj_shape": np.array([6, 5])}, "an adjacency matrix is square"),
        ({"adj_shape": np.array([7, 7])}, "says 7 nodes but there are attributes of 6"),
        ({"adj_indices": np.array([1, 2, 6, 3, 4], np.int32)}, "is 6, outside 0 to 5"),
        ({"adj_indices": np.array([1, 2, -1, 3, 4], np.int32)}, "is -1, outside 0 to 5"),
        ({"adj_indptr": np.zeros(7, np.int32)}, "adj_indptr does not fit"),
        ({"adj_indices": np.ones(5)}, "must be whole numbers"),
        ({"adj_data": np.ones(4)}, "adj_data has 4 entries"),
        ({"attr_data": np.full(23, np.nan, np.float32)}, "hold NaN or infinity"),
        ({"x": np.full((6, 2), np.inf), "attr_data": None}, "hold NaN or infinity"),
        ({"x": np.ones(6), "attr_data": None}, r"write \[n, F\]"),
        ({"labels": np.zeros(5, int)}, "there are 6 nodes"),
        ({"labels": np.zeros(6)}, "not whole numbers"),
        ({"labels": np.full(6, -2)}, "names no class"),
        ({"class_names": np.array(["only"])}, "the label 1 has no name"),
        ({"class_names": np.array(["a", "a"])}, "a name twice"),
        ({"train_mask": np.ones(6, int)}, "train_mask is int64"),
        ({"train_mask": np.ones(6, bool)}, "holds nodes without a label"),
        ({"labels": np.array([{}] * 6, dtype=object)}, "Python objects"),
    ],
)
def test_a_bad_graph_gets_one_sentence(tmp_path, changes, told):
    path = _saved(tmp_path, **changes)
    with pytest.raises(InputError, match=told) as caught:
        read_graph(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert ";" in str(caught.value)


def test_what_is_no_npz_gets_one_sentence(tmp_path):
    (tmp_path / "g.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match=r"is no \.npz file"):
        read_graph(tmp_path / "g.npz")
    with pytest.raises(InputError, match="does not exist"):
        read_graph(tmp_path / "other.npz")
