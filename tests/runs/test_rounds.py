"""Whole runs over a grid in memory: the real ClientApp answers, in this process."""

import json

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Error, Message
from safetensors.numpy import load_file

from client_app.state import FILE as STATE
from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.data.read import read_dataset
from common.errors import InputError, RunFailedError
from common.place import Simulation
from common.run.model_files import load_model
from common.wire.messages import DELIVER, read_arrays, read_instruction, read_metrics
from server_app.run import run
from tests.fake_grid import SimulatedSites

pytestmark = pytest.mark.usefixtures("flower_task")
torch.set_num_threads(1)


def _run(prepared, grid=None, watch=lambda record: None):
    config, files = prepared
    metrics = run(grid or SimulatedSites(), config, files, Simulation(files.sites), watch)
    return metrics.to_json(), [record.to_json() for record in files.history()]


def _final_weights(files):
    return load_model(files.model).weights


def _assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def _told(history):
    """What rounds came to, without what depends on the clock."""
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]


def test_a_whole_run_leaves_every_round_once_and_its_files(small_federation):
    prepared = _, files = small_federation()
    watched = []
    grid = SimulatedSites()
    metrics, history = _run(prepared, grid, watched.append)
    assert _records(grid) == ({"weights", "catalogue"}, {"weights", "catalogue", "truth"})
    assert [(r["round"], r["phase"]) for r in history] == [
        (1, "warm-up"),
        (2, "warm-up"),
        (3, "discovery"),
        (4, "refinement"),
        (5, "closing"),
    ]
    assert [record.to_json() for record in watched] == history
    assert json.loads(files.metrics.read_text()) == metrics
    assert metrics.keys() == {
        "schema", "method", "data", "clients", "alpha", "seed", "rounds", "final", "wire", "seconds",
    }  # fmt: skip
    assert metrics["rounds"] == 5
    assert metrics["final"]["categories"]["true"] == 10
    for scope in ("global", "local"):
        assert all(0 <= metrics["final"][scope][part] <= 1 for part in ("all", "old", "new"))
    for record in history:
        clients = record["clients"]
        assert (clients["asked"], clients["answered"]) == (3, 3)
        assert clients["sat_out"] == clients["failed"] == clients["refused"] == []
        assert 0 < record["bytes"]["up"] < 2 * record["bytes"]["down"]
        assert record["loss"].keys() == (
            {"total", "contrastive", "supervised"} if record["round"] < 4 and record["phase"] == "warm-up"
            else set() if record["phase"] == "closing"
            else {"total", "contrastive", "supervised", "self_distillation", "prior_alignment"}
        )  # fmt: skip
    assert history[2]["concepts"].keys() == {"site-0", "site-1", "site-2"}
    assert metrics["wire"]["full_model_bytes"] == sum(a.nbytes for a in _final_weights(files).values())

    catalogue = load_model(files.model).catalogue
    truth = {i: set((files.sites / f"site-{i}").glob("predictions.parquet")) for i in range(3)}
    assert all(truth.values())
    assert catalogue.counts.sum() <= 120
    assert np.abs(np.linalg.norm(catalogue.rows, axis=1) - 1).max() < 1e-5


def test_the_last_rounds_train_the_category_head_and_send_rows_alone(small_federation):
    prepared = _, files = small_federation(rounds=12)
    grid = SimulatedSites()
    metrics, history = _run(prepared, grid)
    assert [r["phase"] for r in history[-3:]] == ["closing", "head", "head"]
    assert all(r["rounds"] == 12 for r in history)
    sent = [read_arrays(reply.content) for _, number, _, reply in grid.sent if number > 10]
    trained = [records for records in sent if "rows" in records.get("catalogue", {})]
    assert len(trained) == 6
    assert not any("weights" in records for records in sent)
    catalogue = load_model(files.model).catalogue
    assert catalogue.linear.shape == (len(catalogue), catalogue.rows.shape[1] + 1)
    assert not catalogue.linear[:, -1].any()
    assert history[-1]["loss"]["total"] < history[-2]["loss"]["total"]
    assert metrics["final"]["concepts"]["global"] == history[9]["scores"]["global"]
    for i in range(3):
        own = load_model(files.sites / f"site-{i}" / "model")
        np.testing.assert_array_equal(own.catalogue.linear, catalogue.linear)


def test_a_site_that_missed_the_closing_discovery_trains_no_rows_and_ends_with_the_others_head(small_federation):
    prepared = _, files = small_federation(rounds=6)

    def away(site, kind, number, reply, message):
        return Message(Error(7, "away"), reply_to=message) if (site, number) == (2, 5) else reply

    grid = SimulatedSites(twist=away)
    history = _run(prepared, grid)[1]
    assert [r["phase"] for r in history[-2:]] == ["closing", "head"]
    answers = [reply for _, number, _, reply in grid.trained() if number == 6]
    rows = {read_metrics(a.content)["site"]: "catalogue" in a.content for a in answers}
    assert rows == {0: True, 1: True, 2: False}
    assert history[-1]["clients"]["answered"] == 3
    assert (files.sites / "site-2" / "predictions.parquet").exists()


def test_global_scores_are_those_of_the_sites_own_counts(small_federation):
    """The closing round's counts, mapped to the catalogue and added up, against the predictions on the disk."""
    from scipy.optimize import linear_sum_assignment

    from common.data.read import read_dataset
    from common.data.truth import read_truth

    prepared = _, files = small_federation()
    metrics, _ = _run(prepared)
    pairs = []
    import pyarrow.parquet as pq

    for i in range(3):
        folder = files.sites / f"site-{i}"
        table = pq.read_table(folder / "predictions.parquet").to_pydict()
        truth, data = read_truth(folder / "truth.parquet"), read_dataset(str(folder / "data.parquet"))
        assert table["id"] == list(data.ids)
        pairs += [
            (category, truth[key])
            for key, category, label in zip(data.ids, table["category"], data.labels, strict=True)
            if label is None
        ]
    categories, classes = sorted({c for c, _ in pairs}), sorted({t for _, t in pairs})
    counts = np.zeros((len(categories), len(classes)), int)
    for category, true in pairs:
        counts[categories.index(category), classes.index(true)] += 1
    rows, columns = linear_sum_assignment(counts, maximize=True)
    assert metrics["final"]["global"]["all"] == pytest.approx(counts[rows, columns].sum() / len(pairs))


def test_the_order_of_replies_does_not_show(small_federation):
    forwards, backwards = small_federation("a", rounds=4), small_federation("b", rounds=4)
    _, one = _run(forwards, SimulatedSites())
    _, other = _run(backwards, SimulatedSites(backwards=True))
    assert _told(one) == _told(other)
    _assert_same(_final_weights(forwards[1]), _final_weights(backwards[1]))


class _Stop(BaseException):
    pass


def _stop_after(number):
    def watch(record):
        if record.round == number:
            raise _Stop

    return SimulatedSites(), watch


def _stop_within(number):
    """The server dies when the first two sites have done the round's work."""

    def twist(site, kind, round_number, reply, message):
        if kind == "train" and round_number == number and site == 1:
            raise _Stop
        return reply

    return SimulatedSites(twist=twist), lambda record: None


def test_an_interrupted_run_goes_on_to_the_same_bits(small_federation):
    settings = {"seed": 3, "labelled_fraction": 1.0, "rounds": 4}
    undisturbed = small_federation("whole", **settings)
    _, expected = _run(undisturbed)
    assert [record["phase"] for record in expected] == ["warm-up", "warm-up", "discovery", "closing"]
    stops = {"after": _stop_after(3), "in discovery": _stop_within(3), "in closing": _stop_within(4)}
    for name, (grid, watch) in stops.items():
        config, files = small_federation(name, **settings)
        with pytest.raises(_Stop):
            run(grid, config, files, Simulation(files.sites), watch)
        assert not files.metrics.exists()
        watched = []
        metrics, history = _run(small_federation(name, **settings), SimulatedSites(), watched.append)
        assert _told(history) == _told(expected), name
        assert [record.round for record in watched] == [1, 2, 3, 4]
        assert metrics["rounds"] == 4
        _assert_same(_final_weights(files), _final_weights(undisturbed[1]))
        catalogues = [load_model(f.model).catalogue.arrays() for f in (files, undisturbed[1])]
        _assert_same(*catalogues)


def _weights(reply, **changes):
    """The reply with some arrays of its weights replaced or added."""
    arrays = {**read_arrays(reply.content).get("weights", {}), **changes}
    reply.content["weights"] = ArrayRecord({name: _array(value) for name, value in arrays.items()})
    return reply


def _array(value):
    from flwr.app import Array

    return Array(np.ascontiguousarray(value))


def test_a_site_that_answers_wrongly_is_refused_with_the_reason_and_the_run_goes_on(small_federation):
    def twist(site, kind, number, reply, message):
        if site != 1 or kind != "train":
            return reply
        if number == 1:
            return _weights(reply, feature_mean=np.full(128, np.nan, np.float32))
        if number == 2:
            return _weights(reply, feature_mean=np.zeros(7, np.float32))
        if number == 3:
            return _weights(reply, stowaway=np.zeros(7, np.float32))
        if number == 4:
            return Message(Error(7, "the disk is full"), reply_to=message)
        del reply.content["metrics"]["samples"]
        return reply

    prepared = _, files = small_federation()
    _, history = _run(prepared, SimulatedSites(twist=twist))
    assert [r["clients"]["answered"] for r in history] == [2] * 5
    said = [(r["clients"]["refused"] or r["clients"]["failed"])[0] for r in history]
    assert {entry["site"] for entry in said} == {"site-1"}
    assert [entry["reason"] for entry in said] == [
        "array 'weights/feature_mean' holds 128 values that are not finite",
        "array 'weights/feature_mean' has shape (7,), expected (128)",
        "array 'weights/stowaway' is not in the contract",
        "the disk is full",
        "metric 'samples' is missing",
    ]
    assert [bool(r["clients"]["failed"]) for r in history] == [False, False, False, True, False]
    assert all(np.isfinite(array).all() for array in _final_weights(files).values())


def test_a_refused_reply_has_no_share_in_the_model(small_federation):
    def spoil(site, kind, number, reply, message):
        return _weights(reply, feature_mean=np.full(128, 1e3, np.float32), extra=np.zeros(1)) if site == 1 else reply

    def silence(site, kind, number, reply, message):
        return Message(Error(7, "away"), reply_to=message) if site == 1 else reply

    results = []
    for name, bad in (("a", spoil), ("b", silence)):
        prepared = small_federation(name, rounds=3)
        only_training = SimulatedSites(twist=lambda *given, bad=bad: bad(*given) if given[1] == "train" else given[3])
        _run(prepared, only_training)
        results.append(_final_weights(prepared[1]))
    _assert_same(*results)


def test_a_site_whose_data_breaks_is_named_and_one_without_samples_sits_out(small_federation):
    prepared = _, files = small_federation(rounds=3)
    (files.sites / "site-0" / "data.parquet").unlink()
    (files.sites / "site-2" / "data.parquet").write_bytes(b"not Parquet")
    metrics, history = _run(prepared)
    for record in history:
        clients = record["clients"]
        assert (clients["asked"], clients["answered"], clients["sat_out"]) == (3, 1, ["site-0"])
        assert len(clients["failed"]) == 1
        assert clients["failed"][0]["reason"].startswith("site-2: its data or configuration does not fit")
    assert metrics["final"]["global"]["all"] is not None


def test_a_silent_site_is_named_when_the_time_is_up(small_federation):
    def twist(site, kind, number, reply, message):
        return None if site == 2 and kind == "train" and number == 1 else reply

    _, history = _run(small_federation(rounds=2, round_timeout=2), SimulatedSites(twist=twist))
    assert len(history) == 2
    assert history[0]["clients"]["answered"] == 2
    assert history[0]["clients"]["failed"][0]["site"] == "site-2"
    assert "no reply" in history[0]["clients"]["failed"][0]["reason"]


@pytest.mark.parametrize(("looks", "gets_it"), [(2, True), (10_000, False)])
def test_the_final_model_waits_for_a_site_that_is_away_but_not_for_ever(small_federation, monkeypatch, looks, gets_it):
    """Site 1 is gone once the last round is over, and is seen again after so many looks."""
    monkeypatch.setattr("server_app.attendance.RETURN", 1.0)
    prepared = small_federation()
    grid = SimulatedSites()
    ended = []

    def connected():  # node 1000 - i is site i
        if not ended or len(ended) > looks:
            return list(grid.contexts)
        ended.append(None)
        return [node for node in grid.contexts if node != 999]

    grid.get_node_ids = connected
    _run(prepared, grid, watch=lambda record: ended.append(None) if record.round == record.rounds else None)
    delivered = {site for site, _, message, _ in grid.sent if message.metadata.message_type == DELIVER}
    assert (1 in delivered) is gets_it
    assert {0, 2} <= delivered


def test_too_few_replies_end_the_run_with_the_reasons(small_federation):
    def twist(site, kind, number, reply, message):
        return Message(Error(7, f"site {site} is out of memory"), reply_to=message) if number == 2 else reply

    prepared = _, files = small_federation(min_clients=2)
    with pytest.raises(RunFailedError, match=r"round 2: 0 sites answered.*site 1 is out of memory"):
        _run(prepared, SimulatedSites(twist=twist))
    assert [record.round for record in files.history()] == [1]


def test_a_federation_without_any_samples_does_not_start(small_federation):
    prepared = _, files = small_federation()
    for i in range(3):
        (files.sites / f"site-{i}" / "data.parquet").unlink()
    with pytest.raises(RunFailedError, match="no site can take part"):
        _run(prepared)


def _records(grid):
    """Names of the array records by direction: what the server sent, what the sites sent."""
    down = {name for _, _, message, _ in grid.sent for name in message.content.array_records}
    up = {name for *_, reply in grid.sent for name in reply.content.array_records}
    return down, up


def test_a_strict_run_shares_no_categories_in_either_direction(small_federation):
    prepared = _, files = small_federation(share_categories=False)
    grid = SimulatedSites()
    metrics, _ = _run(prepared, grid)
    assert _records(grid) == ({"weights"}, {"weights", "truth"})
    assert load_model(files.model).catalogue is None
    assert metrics["final"]["global"]["all"] is None
    assert 0 <= metrics["final"]["local"]["all"] <= 1
    assert (files.sites / "site-0" / "predictions.parquet").exists()


def test_the_federations_curve_reaches_the_round_that_discovers(small_federation):
    grid = SimulatedSites()
    _run(small_federation(labelled_fraction=1.0), grid)
    trained = list(grid.trained())
    curves = {number: read_instruction(message).values.get("curve") for _, number, message, _ in trained}
    sent = [
        (np.array(metrics["calibration-curve"]), metrics["calibration-labels"])
        for _, number, _, reply in trained
        if number == 2 and "calibration-curve" in (metrics := read_metrics(reply.content))
    ]
    assert len(sent) >= 2
    assert curves[1] is curves[2] is None
    scores, labels = np.array([curve for curve, _ in sent]), np.array([labels for _, labels in sent])
    middle = np.median(scores, axis=0)
    held = np.clip(scores, middle - 0.2, middle + 0.2) if len(sent) > 2 else scores  # none counts much by lying
    expected = np.average(held, axis=0, weights=np.minimum(labels, 3 * np.median(labels)))
    np.testing.assert_allclose(curves[3], expected)


def test_fedavg_simgcd_runs_and_uses_its_categories(small_federation):
    prepared = _, files = small_federation(method="fedavg-simgcd", rounds=3)
    grid = SimulatedSites()
    metrics, history = _run(prepared, grid)
    assert [r["phase"] for r in history] == ["warm-up", "warm-up", "closing"]
    assert "self_distillation" in history[0]["loss"]
    assert 0 <= metrics["final"]["global"]["all"] <= 1
    model = load_model(files.model)
    assert model.weights["head.weight"].shape == (10, 128)
    assert model.catalogue.labels(model.config.seen_classes)[4:6] == ["4", "novel-1"]
    assert _records(grid) == ({"weights"}, {"weights", "truth"})


def test_local_infomap_shares_nothing_but_the_benchmarks_counts(small_federation):
    prepared = _, files = small_federation(method="local-infomap")
    grid = SimulatedSites()
    metrics, history = _run(prepared, grid)
    assert [r["phase"] for r in history] == ["closing"]
    assert _records(grid) == (set(), {"truth"})
    assert metrics["final"]["global"]["all"] is None
    assert metrics["final"]["local"]["all"] > 0.15
    assert metrics["wire"]["full_model_bytes"] == 0
    assert (files.sites / "site-1" / "predictions.parquet").exists()


def test_vectors_are_standardised_over_the_federation_first(small_federation, tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 90)
    x = (rng.normal(size=(90, 6)) + 4 * np.eye(4, 6)[truth]) * [1, 10, 0.1, 1, 5, 1] + [0, 50, 0, 3, 0, 1]
    data = Dataset("vectors", x.astype(np.float32), tuple(map(str, truth)), tuple(map(str, range(90))), "memory")
    write_dataset(data, tmp_path / "x.parquet")
    prepared = _, files = small_federation(data=str(tmp_path / "x.parquet"), rows=None, rounds=4)
    _, history = _run(prepared)
    assert [r["phase"] for r in history] == ["preparation", "warm-up", "discovery", "closing"]
    weights = _final_weights(files)
    # Three sites of some 30 rows, each mean with noise of twice its error: off by no more than five times that.
    off = np.abs(weights["input_mean"] - x.mean(axis=0))
    assert (off < 5 * 2 * x.std(axis=0) / np.sqrt(90) + 0.3 * x.std(axis=0)).all()
    spread = np.sqrt(weights["input_square"] - weights["input_mean"] ** 2)
    assert ((spread > 0.5 * x.std(axis=0)) & (spread < 2 * x.std(axis=0))).all()
    again = small_federation("short", data=str(tmp_path / "x.parquet"), rows=None, rounds=1)
    assert [r["phase"] for r in _run(again)[1]] == ["closing"]


def test_local_only_shares_nothing_in_either_direction_and_learns_all_the_same(small_federation):
    prepared = _, files = small_federation(method="local-only")
    grid = SimulatedSites()
    metrics, history = _run(prepared, grid)
    assert [r["phase"] for r in history] == ["warm-up", "warm-up", "discovery", "refinement", "closing"]
    assert _records(grid) == (set(), {"truth"})
    assert not any("calibration-curve" in read_metrics(reply.content) for *_, reply in grid.sent)
    assert metrics["final"]["global"]["all"] is None
    assert 0 <= metrics["final"]["local"]["all"] <= 1
    assert history[3]["loss"].keys() > {"self_distillation", "prior_alignment"}
    networks = [load_file(files.sites / f"site-{i}" / STATE)["network.head.weight"] for i in range(3)]
    assert not np.array_equal(networks[0], networks[1])
    assert (files.sites / "site-2" / "predictions.parquet").exists()


def test_local_only_goes_on_to_the_same_result(small_federation):
    settings = {"method": "local-only", "seed": 3, "rounds": 4}
    _, expected = _run(small_federation("whole", **settings))
    for name, (grid, watch) in {"after": _stop_after(2), "in training": _stop_within(2)}.items():
        config, files = small_federation(name, **settings)
        with pytest.raises(_Stop):
            run(grid, config, files, Simulation(files.sites), watch)
        _, history = _run(small_federation(name, **settings))
        assert _told(history) == _told(expected), name


def test_a_site_alone_trains_as_it_would_in_a_federation_of_one(small_federation):
    alone, one = (
        small_federation(method, method=method, clients=1, held_out_sites=0, rounds=3)
        for method in ("local-only", "fedlpa")
    )
    _, by_itself = _run(alone, SimulatedSites(sites=1))
    _, federated = _run(one, SimulatedSites(sites=1))
    assert [r["loss"] for r in by_itself] == [r["loss"] for r in federated]


def test_fedavg_gcd_clusters_once_with_k_known(small_federation):
    settings = {"method": "fedavg-gcd", "rounds": 3, "min_support": 1}
    prepared = _, files = small_federation(**settings)
    grid = SimulatedSites()
    metrics, history = _run(prepared, grid)
    assert [r["phase"] for r in history] == ["warm-up", "warm-up", "closing"]
    assert history[0]["loss"].keys() == {"total", "contrastive", "supervised"}
    assert _records(grid) == ({"weights", "catalogue"}, {"weights", "catalogue", "truth"})
    catalogue = load_model(files.model).catalogue
    assert catalogue.labels(prepared[0].seen_classes)[:6] == ["0", "1", "2", "3", "4", "novel-1"]
    assert len(catalogue) == 10
    assert metrics["final"]["categories"] == {"found": 10, "true": 10}
    assert all(0 <= metrics["final"][scope]["all"] <= 1 for scope in ("global", "local"))
    _, backwards = _run(small_federation("b", **settings), SimulatedSites(backwards=True))
    assert _told(backwards) == _told(history)


def test_fedavg_gcd_is_told_k(small_federation):
    prepared = _, files = small_federation(method="fedavg-gcd", rounds=2, categories=7)
    _run(prepared)
    assert len(load_model(files.model).catalogue) == 7


def test_centralised_is_fedlpa_on_the_federations_data_in_one_place(small_federation):
    from common.data.read import read_dataset

    def held(files):
        folders = sorted(files.sites.iterdir())
        data = [read_dataset(str(folder / "data.parquet")) for folder in folders]
        return len(folders), {i: label for d in data for i, label in zip(d.ids, d.labels, strict=True)}

    apart, together = small_federation("a"), small_federation("b", method="centralised")
    assert held(apart[1]) == (3, held(together[1])[1])
    assert held(together[1])[0] == 1
    metrics, history = _run(together, SimulatedSites(sites=1))
    assert (metrics["clients"], metrics["alpha"], metrics["method"]) == (3, 50, "centralised")
    assert history[0]["clients"]["asked"] == 1
    assert metrics["final"]["global"] == metrics["final"]["local"]


def test_held_out_sites_are_written_aside_and_take_no_part(small_federation):
    config, files = small_federation(clients=4, held_out_sites=1, rounds=2)
    _, all_files = small_federation("all", clients=4)
    assert sorted(path.name for path in files.sites.iterdir()) == ["site-0", "site-1", "site-2"]
    assert sorted(path.name for path in files.held_out.iterdir()) == ["site-3"]
    own = (files.held_out / "site-3" / "data.parquet").read_bytes()
    assert own == (all_files.sites / "site-3" / "data.parquet").read_bytes()
    _, history = _run((config, files), SimulatedSites(sites=3))
    assert all(record["clients"]["asked"] == 3 for record in history)
    small_federation(clients=4, rounds=2, overwrite=True)
    assert not files.held_out.exists()
    with pytest.raises(InputError, match="held-out-sites=3 leaves none of the 3 clients"):
        small_federation("none", held_out_sites=3)


def test_sites_without_labels_take_part(small_federation):
    config, files = small_federation(unlabelled_sites=1, rounds=2)
    for site in ("site-0", "site-1", "site-2"):
        labels = read_dataset(str(files.sites / site / "data.parquet")).labels
        assert any(label is not None for label in labels) == (site != "site-2")
    metrics, _ = _run((config, files), SimulatedSites(sites=3))
    assert metrics["final"]["global"]["all"] > 0
    with pytest.raises(InputError, match="unlabelled-sites=4 exceeds the 3 clients that train"):
        small_federation("none", unlabelled_sites=4)
