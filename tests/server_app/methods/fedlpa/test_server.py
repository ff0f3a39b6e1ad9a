from pathlib import Path

import numpy as np
import pytest

from common.config import make_config
from common.methods.registry import get_method
from common.place import Simulation
from server_app.method import Reply
from server_app.methods.fedlpa.server import FedLPAServer

CONFIG = make_config(
    {
        "kind": "vectors",
        "sample-shape": [32],
        "seen-classes": ["a", "b"],
        "classes": ["a", "b", "c"],
        "rounds": 6,
        "head-rounds": 0,
        "rediscover-every": 2,
        "warmup-rounds": 2,
    }
)
PLANS = {number: get_method("fedlpa").plan(CONFIG, number) for number in range(1, 8)}
DISCOVERY = 4
HERE = Simulation(Path())


def _reply(server, site, axes, names, counts=None, truth=None, **metrics):
    """A site whose category rows are unit vectors along ``axes``."""
    weights = server.weights()
    records = {"weights": {name: np.full_like(array, 0.0) for name, array in weights.items()}}
    if axes is not None:
        records["catalogue"] = {
            "rows": np.eye(32, dtype=np.float32)[axes],
            "names": np.array(names),
            "counts": np.full(len(axes), 10) if counts is None else np.array(counts),
        }
    if truth is not None:
        records["truth"] = {"counts": np.array(truth)}
    return Reply(site, records, {"samples": 20, **metrics})


def _round(server, number, *replies):
    for reply in replies:
        server.fold(PLANS[number], reply)
    return server.finish_round(PLANS[number])


def _own(server, site):
    return server.broadcast(PLANS[5], site).records["catalogue"]["own"].tolist()


def test_the_plan_of_these_tests():
    assert [PLANS[n].discover for n in (3, 4, 5, 6)] == [False, True, False, True]
    assert [PLANS[n].calibrate for n in (3, 4, 5)] == [True, False, True]


def test_rows_become_one_catalogue_and_each_site_learns_its_own_categories():
    server = FedLPAServer(CONFIG, HERE)
    _round(
        server,
        DISCOVERY,
        _reply(server, "y", [0, 5, 6], [0, -1, -1], [10, 10, 30]),
        _reply(server, "x", [6, 0], [-1, 0], [10, 10]),
    )
    assert server.catalogue().labels(["a", "b"]) == ["a", "novel-1", "novel-2"]
    assert server.catalogue().counts.tolist() == [20, 40, 10]
    assert (_own(server, "x"), _own(server, "y"), _own(server, "z")) == ([1, 0], [0, 2, 1], [])


@pytest.mark.parametrize("restart", [False, True])
def test_numbers_last_over_discoveries_and_restarts(restart):
    server = FedLPAServer(CONFIG, HERE)
    _round(server, DISCOVERY, _reply(server, "x", [1, 5, 6, 7], [1, -1, -1, -1], [9, 40, 30, 20]))
    _round(server, 6, _reply(server, "x", [1, 7, 6], [1, -1, -1], [9, 40, 30]))
    assert server.catalogue().labels(["a", "b"]) == ["b", "novel-3", "novel-2"]
    if restart:
        server, before = FedLPAServer(CONFIG, HERE), server
        server.restore(before.snapshot())
    _round(server, 6, _reply(server, "x", [7, 6, 9], [-1, -1, -1], [9, 20, 40]))
    assert server.catalogue().numbers.tolist() == [4, 2, 3]


def test_a_snapshot_restores_what_is_broadcast():
    server = FedLPAServer(CONFIG, HERE)
    _round(server, 3, _reply(server, "x", None, None, **{"calibration-curve": [0.1] * 8, "calibration-labels": 9}))
    _round(server, DISCOVERY, _reply(server, "x", [5, 6], [-1, 0]))
    other = FedLPAServer(CONFIG.but(seed=1), HERE)
    other.restore(server.snapshot())
    for site in ("x", "z"):
        sent, same = server.broadcast(PLANS[5], site), other.broadcast(PLANS[5], site)
        assert sent.values["curve"] == same.values["curve"] == pytest.approx([0.1] * 8)
        records, again = sent.records, same.records
        assert records.keys() == again.keys() == {"weights", "catalogue"}
        for record, arrays in records.items():
            assert arrays.keys() == again[record].keys()
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, again[record][name])


def test_curves_are_blended_by_the_labels_hidden_for_them():
    server = FedLPAServer(CONFIG, HERE)
    replies = [
        _reply(server, site, None, None, **{"calibration-curve": [value] * 8, "calibration-labels": labels})
        for site, value, labels in (("x", 0.2, 30), ("y", 0.8, 10), ("z", 1.0, 0))
    ]
    _round(server, 3, *replies, _reply(server, "w", None, None, **{"calibration-curve": [1.0] * 8}))
    assert server.broadcast(PLANS[4], "x").values["curve"] == pytest.approx([0.35] * 8)
    _round(server, 5, _reply(server, "x", None, None))
    assert server.broadcast(PLANS[6], "x").values == {}


def test_a_curve_that_lies_counts_no_farther_than_a_little_from_the_others():
    server = FedLPAServer(CONFIG, HERE)
    replies = [
        _reply(server, site, None, None, **{"calibration-curve": [value] * 8, "calibration-labels": 10})
        for site, value in (("x", 0.4), ("y", 0.5), ("z", 0.6), ("liar", -1.0), ("w", 0.5))
    ]
    _round(server, 3, *replies)
    assert server.broadcast(PLANS[4], "x").values["curve"] == pytest.approx([(0.4 + 0.5 + 0.6 + 0.3 + 0.5) / 5] * 8)


def test_a_discovery_is_scored_by_category_and_what_was_not_sent_is_a_category_of_its_own():
    # Both sites' first concept is one category; each has a further concept too small to send.
    server = FedLPAServer(CONFIG, HERE)
    outcome = _round(
        server,
        DISCOVERY,
        _reply(server, "x", [5], [-1], truth=[[0, 0, 8], [2, 0, 0]]),
        _reply(server, "y", [5], [-1], truth=[[0, 0, 6], [0, 4, 0]]),
    )
    assert outcome.scores["global"] == {"all": 1.0, "old": 1.0, "new": 1.0}
    assert outcome.found == 1


def test_without_replies_the_weights_stay():
    server = FedLPAServer(CONFIG, HERE)
    before = {name: array.copy() for name, array in server.weights().items()}
    _round(server, 1)
    for name, array in server.weights().items():
        np.testing.assert_array_equal(array, before[name])


WITH_HEAD = CONFIG.but(rounds=7, head_rounds=1)
HEAD_PLANS = {number: get_method("fedlpa").plan(WITH_HEAD, number) for number in range(1, 9)}


def _trained(site, rows, counts):
    record = {"rows": np.array(rows, np.float32), "counts": np.array(counts), "names": np.zeros(len(counts), int)}
    return Reply(site, {"catalogue": record}, {"samples": 20})


def _closed():
    """Site x has categories 0 (axis 0) and 1 (axis 6), y 0 and another (axis 5)."""
    server = FedLPAServer(WITH_HEAD, HERE)
    for reply in (
        _reply(server, "x", [0, 6], [0, -1], [10, 30]),
        _reply(server, "y", [0, 5], [0, -1], [10, 20]),
    ):
        server.fold(HEAD_PLANS[6], Reply(reply.site, {"catalogue": reply.records["catalogue"]}, reply.metrics))
    server.finish_round(HEAD_PLANS[6])
    assert (HEAD_PLANS[6].phase, HEAD_PLANS[7].phase) == ("closing", "head")
    return server


def _axes(server):
    """The row of the head along each axis, and without a bias."""
    linear = server.catalogue().linear
    assert not linear[:, -1].any()
    where = server.catalogue().rows.argmax(axis=1)
    return {int(axis): row for axis, row in zip(where, linear[:, :-1] * 0.05, strict=True)}


def test_trained_rows_are_averaged_category_by_category_by_the_samples_behind_them():
    server = _closed()
    x, y = np.random.default_rng(0).normal(size=(2, 2, 32))
    own = {site: np.unique(server.broadcast(HEAD_PLANS[7], site).records["catalogue"]["own"]) for site in "xy"}
    server.fold(HEAD_PLANS[7], _trained("y", y, [10, 20]))
    server.fold(HEAD_PLANS[7], _trained("x", x, [30, 40]))
    server.finish_round(HEAD_PLANS[7])
    found = server.catalogue().linear[:, :-1] * 0.05
    shared = next(iter(set(own["x"]) & set(own["y"])))
    assert shared == own["x"][0] == own["y"][0]
    np.testing.assert_allclose(found[shared], (30 * x[0] + 10 * y[0]) / 40, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[own["x"][1]], x[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[own["y"][1]], y[1], rtol=1e-4, atol=1e-6)


def test_a_category_that_nobody_answers_for_keeps_its_row_and_a_reply_of_another_length_is_left_out():
    server = _closed()
    server.fold(HEAD_PLANS[7], _trained("y", np.ones((3, 32)), [10, 10, 10]))
    server.fold(HEAD_PLANS[7], _trained("stranger", np.ones((2, 32)), [10, 10]))
    server.finish_round(HEAD_PLANS[7])
    for axis, row in _axes(server).items():
        np.testing.assert_allclose(row, np.eye(32)[axis], atol=1e-5)


def test_the_head_survives_a_restart():
    server, again = _closed(), FedLPAServer(WITH_HEAD, HERE)
    server.fold(HEAD_PLANS[7], _trained("x", np.full((2, 32), 0.5), [10, 10]))
    server.finish_round(HEAD_PLANS[7])
    again.restore(server.snapshot())
    np.testing.assert_array_equal(again.catalogue().linear, server.catalogue().linear)
