"""An institution that joins after the run."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from client_app.methods.fedlog.joining import join
from common.data.graph import read_graph, write_graph
from common.data.partition_files import read_partition
from common.errors import InputError
from common.run.model_files import load_model
from server_app.sites.lay_graphs import site_graph


def _newcomer(files, names, folder):
    part = read_partition(files.partition)[-1]
    graph = dataclasses.replace(site_graph(part, names, "new"), masks={})
    write_graph(graph, folder / "new.npz")
    return folder / "new.npz"


def test_a_newcomer_adapts_the_model_with_the_runs_slots(run_graphs, tmp_path):
    _, files, _ = run_graphs(rounds=10)
    path = _newcomer(files, tuple(f"class-{i}" for i in range(5)), tmp_path)
    found = join(files.model, path, tmp_path / "joined")
    assert found.slots > 0
    assert found.before is not None
    assert found.after is not None
    assert found.after >= found.before
    untouched = join(files.model, path, tmp_path / "untouched", epochs=0)
    assert untouched.before == found.before
    kept = load_model(tmp_path / "joined" / "model").weights
    shared = load_model(files.model).weights
    np.testing.assert_array_equal(kept["head.weight"], shared["head.weight"])
    assert not np.array_equal(kept["own/head.weight"], shared["head.weight"])
    table = pq.read_table(tmp_path / "joined" / "predictions.parquet")
    assert table.num_rows == len(read_graph(path))
    with pytest.raises(InputError, match="already there"):
        join(files.model, path, tmp_path / "joined")


def test_models_and_data_that_do_not_fit_get_one_sentence(run_graphs, tmp_path):
    _, files, _ = run_graphs("graph-fedavg", rounds=1)
    with pytest.raises(InputError, match="adapt a model of fedlog"):
        join(files.model, tmp_path / "graph.npz", tmp_path / "out")
    _, files, _ = run_graphs(rounds=1, folder="other")
    with pytest.raises(InputError, match="does not exist"):
        join(files.model, tmp_path / "nothing.npz", tmp_path / "out")
