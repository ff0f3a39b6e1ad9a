"""``fedlpa data check`` on graphs: what it tells of a good one, and one sentence for each that cannot be used."""

import io
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fedlpa.data_check import check_data
from fedlpa.data_report import render

EDGES = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)]
"""Seven nodes; 5 and 6 are isolated."""


def arrays(n=7, edges=EDGES, **changes):
    import scipy.sparse as sp

    rows, columns = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n))
    found = {
        "adj_data": matrix.data,
        "adj_indices": matrix.indices,
        "adj_indptr": matrix.indptr,
        "adj_shape": np.array([n, n]),
        "x": np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32),
        "labels": np.array([0, 0, 0, 1, 1, -1, 0][:n]),
        "class_names": np.array(["cat", "dog", "emu"]),
    }
    return {**found, **changes}


def saved(folder, **content):
    np.savez(folder / "g.npz", **content)
    return str(folder / "g.npz")


def test_what_is_told_of_a_graph(tmp_path):
    masks = {"train_mask": np.arange(7) < 4, "val_mask": np.arange(7) == 4}
    report = check_data(saved(tmp_path, **arrays(**masks)))
    assert (report.ok, report.kind, report.samples, report.sample_shape) == (True, "graph", 7, (3,))
    assert (report.labelled, report.unlabelled) == (6, 1)
    assert report.classes == {"cat": 4, "dog": 2, "emu": 0}
    assert asdict(report.graph) == {
        "nodes": 7,
        "edges": 5,
        "isolated": 2,
        "labelled_share": pytest.approx(6 / 7),
        "mean_degree": pytest.approx(10 / 7),
        "degrees": {"0": 2, "1": 1, "2": 3, "3 to 4": 1},
        "masks": {"train_mask": 4, "val_mask": 1},
    }
    told = " ".join(report.warnings)
    assert "2 nodes have no neighbour" in told
    assert "labelled 'emu'" in told
    assert "labelled nodes of 'dog'" in told
    assert json.loads(json.dumps(report.to_json()))["graph"]["edges"] == 5
    console = Console(width=200, file=io.StringIO())
    console.print(render(report))
    for part in ("7 nodes, 5 edges, 2 nodes without any", "85.7 %", "3 to 4: 1", "train_mask: 4"):
        assert part in console.file.getvalue()


def test_graphs_that_are_odd_but_work(tmp_path):
    lone = check_data(saved(tmp_path, **arrays(1, [])))
    assert lone.ok
    assert "one node" in " ".join(lone.warnings)
    bare = check_data(saved(tmp_path, **arrays(edges=[])))
    assert bare.ok
    assert bare.graph.isolated == 7
    assert "no edge" in " ".join(bare.warnings)
    one = check_data(saved(tmp_path, **arrays(labels=np.zeros(7, np.int64))))
    assert "one class" in " ".join(one.warnings)
    both = check_data(saved(tmp_path, **arrays(train_mask=np.arange(7) < 3, val_mask=np.arange(7) < 2)))
    assert "2 nodes are in both" in " ".join(both.warnings)


def _outside():
    content = arrays()
    content["adj_indices"] = content["adj_indices"].copy()
    content["adj_indices"][0] = 99
    return content


BAD = {
    "index": (_outside, "outside 0 to 6"),
    "not-square": (lambda: arrays(adj_shape=np.array([7, 8])), "square"),
    "other-nodes": (lambda: arrays(x=np.ones((5, 3), np.float32)), "make them agree"),
    "nan": (lambda: arrays(x=np.full((7, 3), np.nan)), "NaN"),
    "no-label": (lambda: arrays(labels=np.full(7, -1)), "holds no label"),
    "few-labels": (lambda: arrays(labels=np.zeros(3, np.int64)), "one label a node"),
    "nothing-trains": (lambda: arrays(train_mask=np.zeros(7, bool)), "marks no node"),
    "unlabelled-trains": (lambda: arrays(train_mask=np.ones(7, bool)), "nodes without a label"),
    "no-nodes": (lambda: arrays(0, []), "without nodes"),
    "no-adjacency": (lambda: {"x": np.ones((3, 2)), "labels": np.zeros(3, int)}, "adj_indices"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_graph_that_cannot_be_used_gets_one_sentence(case, tmp_path):
    make, told = BAD[case]
    report = check_data(saved(tmp_path, **make()))
    assert not report.ok
    assert len(report.problems) == 1
    assert told in report.problems[0]
    assert "g.npz" in report.problems[0]


def test_the_command_ends_with_status_2(tmp_path):
    command = [str(Path(sys.executable).parent / "fedlpa"), "data", "check", saved(tmp_path, **BAD["nan"][0]())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "NaN" in done.stdout
    assert done.stderr.startswith("fedlpa: ")
    assert "NaN" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
