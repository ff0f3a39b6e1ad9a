"""A site's graph or table against the run."""

import numpy as np
import pytest

from client_app.graphs.node_data import load_graph_data, split_labelled
from client_app.site import RealSite
from common.config import make_config
from common.data.dataset import Dataset
from common.data.graph import Graph, undirected, write_graph
from common.data.parquet import write_dataset
from common.data.table_graph import cut_table, table_edges
from common.errors import InputError


def _graph(**changes):
    rng = np.random.default_rng(0)
    given = {
        "x": rng.random((20, 3)).astype(np.float32),
        "edges": undirected(rng.integers(0, 20, 30), rng.integers(0, 20, 30), 20),
        "labels": np.array([0, 1] * 9 + [-1, -1]),
        "class_names": ("b", "a"),
        "ids": tuple(map(str, range(20))),
        "source": "made",
        "masks": {},
    }
    return Graph(**{**given, **changes})


def _load(folder, graph, **settings):
    write_graph(graph, folder / "data.npz")
    given = {"method": "fedlog", "kind": "graph", "sample-shape": "3", "seen-classes": "a,b,c", **settings}
    site = RealSite("s", folder / "data.npz", folder, folder / "policy.yaml")
    return load_graph_data(site, make_config(given))


def test_labels_become_indices_of_the_runs_classes_and_are_split(tmp_path):
    data = _load(tmp_path, _graph())
    assert data.labels.tolist() == [1, 0] * 9 + [-1, -1]
    assert not (data.train & data.validation).any()
    assert (data.train | data.validation).tolist() == [True] * 18 + [False] * 2
    assert data.train_counts(3).tolist() == [5, 5, 0]
    assert data.benchmark is None


def test_masks_in_the_file_are_kept(tmp_path):
    train = np.arange(20) < 4
    data = _load(tmp_path, _graph(masks={"train_mask": train, "val_mask": np.arange(20) == 7}))
    assert data.train.tolist() == train.tolist()
    assert np.flatnonzero(data.validation).tolist() == [7]


def test_every_class_trains_at_least_once():
    train, validation = split_labelled(np.array([0, 0, 0, 0, 0, 0, 0, 1, -1]), 3)
    assert train.tolist().count(True) == 5
    assert train[7]
    assert not (train | validation)[8]


@pytest.mark.parametrize(
    ("change", "settings", "told"),
    [
        ({"labels": np.full(20, -1)}, {}, "holds no label"),
        ({}, {"sample-shape": "4"}, "has 3 features a node, the run expects 4"),
        ({}, {"seen-classes": "a,c"}, "has the label 'b', which is not a class of this run"),
        ({}, {"kind": "images"}, "works on graphs and tables"),
        ({"masks": {"train_mask": np.zeros(20, bool)}}, {}, "train_mask marks no node"),
    ],
)
def test_a_graph_that_does_not_fit_gets_one_sentence(tmp_path, change, settings, told):
    with pytest.raises(InputError, match=told):
        _load(tmp_path, _graph(**change), **settings)


def test_one_node_is_enough_for_a_site(tmp_path):
    lone = _graph(x=np.ones((1, 3), np.float32), edges=np.zeros((2, 0), np.int64), labels=np.zeros(1, int), ids=("0",))
    assert len(_load(tmp_path, lone)) == 1


def _table(n=60):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, n)
    x = (rng.normal(size=(n, 4)) + 3 * labels[:, None] * [1, 0, 1, 0]) * [1, 100, 1, 0.01]
    return Dataset(
        "vectors", x.astype(np.float32), tuple(f"c{c}" for c in labels), tuple(f"r{i}" for i in range(n)), "made"
    )


def test_a_table_becomes_the_similarity_graph_of_its_rows(tmp_path):
    table = _table()
    write_dataset(table, tmp_path / "data.parquet")
    given = {"method": "fedlog", "kind": "vectors", "sample-shape": "4", "seen-classes": "c0,c1,c2", "knn": "3"}
    data = load_graph_data(
        RealSite("s", tmp_path / "data.parquet", tmp_path, tmp_path / "policy.yaml"), make_config(given)
    )
    x = (table.x - table.x.mean(axis=0)) / table.x.std(axis=0)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = unit @ unit.T - 2 * np.eye(60)
    slow = set()
    for i in range(60):
        for j in np.argsort(-cosine[i])[:3]:
            slow |= {(i, int(j)), (int(j), i)}
    assert set(map(tuple, data.edges.T.tolist())) == slow


def test_new_rows_do_not_change_the_scale_of_the_old():
    x = _table().x
    far = np.concatenate([x, x[:5] * [[1e6, 1, 1, 1]]]).astype(np.float32)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    np.testing.assert_array_equal(table_edges(far, 3, x), table_edges((far - mean) / scale, 3, (x - mean) / scale))
    assert not np.array_equal(table_edges(far, 3, x), table_edges(far, 3))


def test_a_table_is_dealt_to_institutions_with_graphs_of_their_own():
    parts, names = cut_table(_table(120), clients=2, alpha=5.0, seed=0, k=3)
    assert names == ("c0", "c1", "c2")
    assert len(parts) == 3
    assert sorted(np.concatenate([part.ids for part in parts]).tolist()) == list(range(120))
    for part in parts:
        np.testing.assert_array_equal(part.edges, table_edges(part.x, 3))
        assert part.whole_edges.max() < len(part.whole_x)
    assert not parts[-1].hidden.size
