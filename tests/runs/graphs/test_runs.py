"""Whole runs of the graph methods on a small graph."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from flwr.app import Error, Message

from common.errors import InputError
from common.run.model_files import load_model
from common.wire.messages import read_arrays

torch.set_num_threads(1)
COLUMNS = ("seen", "unseen_node", "missing_class", "new_client")


def _records(grid, number, of):
    """Record names by site in a round: ``of`` is 2 for messages, 3 for replies."""
    return {entry[0]: set(entry[of].content.array_records) for entry in grid.sent if entry[1] == number}


def test_a_run_scores_every_column_and_leaves_its_files(run_graphs):
    metrics, files, _ = run_graphs(rounds=20)
    final = metrics["final"]
    assert metrics == json.loads(files.metrics.read_text())
    assert (metrics["method"], metrics["clients"], metrics["rounds"]) == ("fedlog", 3, 20)
    assert final["by_model"].keys() == {"personal", "averaged", "own"}
    assert final["by_site"].keys() == {"site-0", "site-1", "site-2"}
    assert all(0 <= final[column] <= 1 for column in COLUMNS)
    assert final["seen"] > 0.6
    assert final["missing_class"] > 0.2
    assert final["categories"] == {"found": None, "true": 5}
    history = [record.to_json() for record in files.history()]
    assert {"total", "real", "slots"} == history[0]["loss"].keys()
    assert [r["round"] for r in history if "seen" in r["scores"]] == list(range(1, 21, 2))
    assert all("validation" in r["scores"] for r in history)
    assert (files.partition / "client3.npz").exists()
    assert (files.partition / "meta.json").exists()
    table = pq.read_table(files.sites / "site-0" / "predictions.parquet")
    assert table.num_rows > 20
    assert set(table["category"].to_pylist()) <= {f"class-{i}" for i in range(5)}
    kept = load_model(files.model).weights
    assert {"near_first.weight", "slots/slots/values", "slots/slot-groups/counts"} <= kept.keys()
    assert "own/head.weight" in load_model(files.sites / "site-0" / "model").weights
    assert not any(name.startswith("own/") for name in kept)


def test_slots_travel_up_once_and_down_once(run_graphs):
    _, _, grid = run_graphs(rounds=4, score_every=100)
    slots, wanted = {"slots", "slot-groups"}, {"slots-wanted"}
    for site, number, message, reply in grid.trained():
        down, up = set(message.content.array_records), set(reply.content.array_records)
        assert down == {"weights"} | (wanted if number == 1 else set()) | (slots if number == 2 else set())
        assert up - {"truth"} == {"weights"} | (slots if number == 1 else set()), site


def test_a_site_that_missed_the_first_round_gives_its_slots_later(run_graphs):
    def away(site, kind, number, reply, message):
        if (site, kind, number) == (1, "train", 1):
            return Message(Error(1, "away"), reply_to=message)
        return reply

    _, _, grid = run_graphs(rounds=5, twist=away, score_every=100)
    down = {(site, number): set(message.content.array_records) for site, number, message, _ in grid.trained()}
    assert "slots-wanted" in down[1, 2]
    assert "slots-wanted" not in down[0, 2]
    assert "slots" in down[0, 2]
    assert all("slots" in down[site, 3] for site in range(3))
    assert not any("slots" in down[site, 4] for site in range(3))


def test_a_run_that_broke_off_goes_on_to_the_same_result(run_graphs):
    whole, files, _ = run_graphs(rounds=6, folder="whole")

    def broken(site, kind, number, reply, message):
        if number == 4 and kind == "train":
            raise KeyboardInterrupt
        return reply

    with pytest.raises(KeyboardInterrupt):
        run_graphs(rounds=6, folder="broken", twist=broken)
    metrics, resumed, _ = run_graphs(rounds=6, folder="broken", overwrite=False)
    assert metrics["final"] == whole["final"]
    first, second = load_model(files.model).weights, load_model(resumed.model).weights
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_a_given_partition_is_used_as_it_is(run_graphs):
    first, files, _ = run_graphs(rounds=2, folder="made")
    again, others, _ = run_graphs(rounds=2, folder="given", partition=str(files.partition), clients=7)
    assert again["clients"] == 3
    assert again["final"] == first["final"]
    assert others.config.exists()


@pytest.mark.parametrize(
    ("method", "models", "up"),
    [
        ("graph-local", {"own"}, set()),
        ("graph-fedavg", {"averaged", "before-averaging"}, {"weights"}),
        ("graph-fedprox", {"averaged", "before-averaging"}, {"weights"}),
    ],
)
def test_baselines_score_the_same_columns(run_graphs, method, models, up):
    metrics, _, grid = run_graphs(method, rounds=15)
    final = metrics["final"]
    assert final["by_model"].keys() == models
    assert final["seen"] > 0.5
    assert all(names - {"truth"} == up for number in (2, 3) for names in _records(grid, number, 3).values())
    if method == "graph-local":
        assert final["missing_class"] == 0


def test_the_proximal_term_keeps_sites_nearer_to_the_global_model(run_graphs):
    def moved(strength):
        _, _, grid = run_graphs("graph-fedprox", rounds=1, proximal=strength, local_epochs=5, folder=f"p{strength}")
        return sum(
            float(np.square(read_arrays(reply.content)["weights"][name] - start).sum())
            for _, _, message, reply in grid.trained()
            for name, start in read_arrays(message.content)["weights"].items()
        )

    assert moved(100.0) < 0.7 * moved(0.0)


def test_every_switch_changes_what_is_learnt(run_graphs):
    base, _, _ = run_graphs(rounds=4, folder="base")
    for k, change in enumerate(
        (
            {"share_slots": "false"},
            {"slot_weight": 0},
            {"tau": 2},
            {"own_model": "false"},
            {"gate": "false"},
            {"neighbour_prior": "none"},
            {"cosine_head": "true"},
            {"slot_noise": 0.5},
            {"slot_clip": 0.1},
        )
    ):
        metrics, _, _ = run_graphs(rounds=4, folder=f"run{k}", **change)
        assert metrics["final"]["by_model"] != base["final"]["by_model"], change


def test_without_sharing_no_slot_leaves_a_site(run_graphs):
    _, _, grid = run_graphs(rounds=3, share_slots="false")
    for _, _, message, reply in grid.sent:
        assert not {"slots", "slot-groups"} & set(reply.content.array_records)
        assert not {"slots", "slots-wanted"} & set(message.content.array_records)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"data": "digits"}, "needs a graph"),
        ({"partition": "/nowhere"}, "is no folder"),
        ({"clients": 200}, "too few for 200 clients"),
        ({"min_clients": 9}, "min-clients=9 exceeds the 3 clients"),
    ],
)
def test_what_cannot_be_simulated_gets_one_sentence(run_graphs, settings, told):
    with pytest.raises(InputError, match=told):
        run_graphs(**settings)


def test_the_report_shows_the_four_accuracies_of_graphs_and_tables(run_graphs, tmp_path):
    import sklearn.datasets

    from fedlpa.predict import predict
    from fedlpa.report.write import write_report

    table = sklearn.datasets.load_wine(as_frame=True).frame.rename(columns={"target": "label"})
    table.to_csv(tmp_path / "wine.csv", index=False)
    for k, settings in enumerate(({"rounds": 3}, {"data": str(tmp_path / "wine.csv"), "rounds": 8, "alpha": 2})):
        metrics, files, _ = run_graphs(folder=f"shown{k}", **settings)
        page = write_report(files.folder).read_text()
        assert "Unseen node" in page
        assert f"{100 * metrics['final']['seen']:.1f}" in page
        with pytest.raises(InputError, match="needs a whole graph"):
            predict(files.model, str(settings.get("data", "digits")), tmp_path / "p.parquet")
    history = [record.to_json() for record in files.history()]
    assert (history[0]["phase"], history[1]["phase"]) == ("preparation", "training")
    assert metrics["final"]["seen"] > 0.7
    mean = load_model(files.model).weights["input_mean"]
    near = table.drop(columns="label").to_numpy().mean(axis=0)
    np.testing.assert_allclose(mean, near, rtol=0.5)
