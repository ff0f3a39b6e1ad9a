"""Whole runs of FedLoG as published on a small graph: what travels when, switches, privacy, resuming."""

import json

import numpy as np
import pytest
import torch

from common.config import make_config
from common.errors import InputError
from common.methods.registry import get_method
from common.place import Deployment
from common.run.model_files import load_model
from common.wire.contract import Contract

torch.set_num_threads(1)
SMALL = {
    "batch_size": 32,
    "learning_rate": 0.003,
    "slots_per_class": 4,
    "generator_epochs": 2,
    "pretrain_epochs": 4,
    "min_group": 2,
}


@pytest.fixture
def run_published(run_graphs):
    def start(**settings):
        return run_graphs("fedlog-published", **{**SMALL, "rounds": 4, "score_every": 100, **settings})

    return start


def test_a_run_learns_and_every_record_travels_when_it_is_due(run_published):
    metrics, files, grid = run_published(rounds=8, local_epochs=8, learning_rate=0.01)
    assert metrics["final"]["by_model"].keys() == {"averaged", "before-averaging"}
    assert metrics["final"]["seen"] > 0.45
    assert [line.phase for line in files.history()][:2] == ["preparation", "training"]
    for site, number, message, reply in grid.trained():
        down, up = set(message.content.array_records), set(reply.content.array_records) - {"truth"}
        if number == 1:
            assert (down, up) == (set(), {"class-counts", "generator"}), site
            continue
        assert up == {"weights", "class-counts", "synthetic"}
        assert down == {"weights"} | ({"generators"} if number == 2 else set()) | (
            {"synthetic"} if number > 2 else set()
        )
    kept = load_model(files.sites / "site-0" / "model").weights
    assert {"synthetic.head", "synthetic.tail", "gamma", "network.branches.tail.norm.weight"} <= kept.keys()
    assert float(np.max(kept["gamma"])) > 0
    told = json.loads((files.sites / "site-0" / "slot-privacy.json").read_text())
    assert told["slots"] % 4 == 0
    assert told["membership_auc"] is not None


def test_a_run_that_broke_off_goes_on_to_the_same_result(run_published):
    _, files, _ = run_published(folder="whole")

    def broken(site, kind, number, reply, message):
        if number == 3 and kind == "train":
            raise KeyboardInterrupt
        return reply

    with pytest.raises(KeyboardInterrupt):
        run_published(folder="broken", twist=broken)
    _, resumed, _ = run_published(folder="broken", overwrite=False)
    first, second = load_model(files.model).weights, load_model(resumed.model).weights
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_every_switch_changes_what_is_learnt(run_published):
    def weights(folder, **settings):
        _, files, _ = run_published(folder=folder, **settings)
        return load_model(files.model).weights["embedder.near_first.weight"]

    base = weights("base")
    for k, change in enumerate(
        (
            {"synthetic_weight": 0},
            {"scaling": "false"},
            {"prompts": "false"},
            {"tail_branch": "false"},
            {"metric": "false"},
            {"pretrain_epochs": 0},
            {"norm_weight": 0},
            {"slot_noise": 0.5},
            {"slot_clip": 0.1},
        )
    ):
        assert not np.array_equal(base, weights(f"run{k}", **change)), change


def test_small_classes_send_no_synthetic_nodes(run_published):
    _, _, grid = run_published(rounds=2, min_group=1000)
    from common.wire.messages import read_arrays

    for _, number, _, reply in grid.trained():
        arrays = read_arrays(reply.content)
        assert not arrays["class-counts"]["counts"].any()
        if number > 1:
            sent = np.abs(arrays["synthetic"]["x"]).sum(axis=(1, 2))
            assert (sent == 0).sum() >= 3  # the classes that the site has


def test_on_cora_every_round_stays_below_the_published_codes_upload():
    """Exact sizes from the declaration: 3.7 MB is what the published code sends after its first round."""
    config = make_config({"method": "fedlog-published"}).but(
        kind="graph", sample_shape=(1433,), seen_classes=tuple("abcdefg"), classes=()
    )
    contract: Contract = get_method("fedlog-published").contract(config, Deployment())

    def size(names):
        specs = [spec for name in names for spec in contract.arrays[name].values()]
        return sum(np.dtype(spec.dtype).itemsize * int(np.prod(spec.shape)) for spec in specs)

    assert size(("class-counts", "generator")) < 3.7e6
    assert size(("class-counts", "weights", "synthetic")) < 3.7e6


def test_tables_get_one_sentence(run_published, tmp_path):
    import sklearn.datasets

    table = sklearn.datasets.load_wine(as_frame=True).frame.rename(columns={"target": "label"})
    table.to_csv(tmp_path / "wine.csv", index=False)
    with pytest.raises(InputError, match="use --method fedlog for tables"):
        run_published(data=str(tmp_path / "wine.csv"))
