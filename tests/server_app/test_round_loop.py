"""The round loop with sites that hang, lag, leave, come late, restart, or send updates far outside the others'."""

import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from flwr.app import Error, Message

from common.config import make_config
from common.errors import RunFailedError
from common.methods.registry import get_method
from common.place import Deployment, Simulation
from common.privacy.accountant import epsilon
from common.run.checkpoint import read_checkpoint
from common.run.run_files import RunFiles
from common.wire.messages import client_content, read_arrays, read_instruction
from server_app.run import run
from tests.fake_grid import FakeGrid

pytestmark = pytest.mark.usefixtures("flower_task")

HANG = object()


def honest(size=0.1):
    """An update that moves every weight by about ``size``."""

    def answer(number, weights):
        return {"weights": {name: array + np.float32(size) for name, array in weights.items()}}, {"samples": 10}

    return answer


def hang(number, weights):
    return HANG


def nan(number, weights):
    return {"weights": {name: array * np.float32("nan") for name, array in weights.items()}}, {"samples": 10}


def misshapen(number, weights):
    return {"weights": {name: array[..., None] for name, array in weights.items()}}, {"samples": 10}


def late(seconds, size=0.1):
    def answer(number, weights):
        return (*honest(size)(number, weights), seconds)

    return answer


class Sites(FakeGrid):
    """A grid of sites by name; each is a function from round and weights to its records and metrics."""

    def __init__(self, **sites):
        super().__init__(self._ask)
        self.sites, self.ids, self.started = {}, {}, {}
        self.asked = []
        for name, answer in sites.items():
            self.join(name, answer)

    def join(self, name, answer):
        self.sites[name] = answer
        self.ids[name] = 100 + len(self.ids)
        self.started[name] = datetime(2020, 1, 1, tzinfo=UTC)
        self.nodes.append(self.ids[name])

    def get_nodes(self):
        return [
            SimpleNamespace(node_id=self.ids[name], name=name, last_activated_at=self.started[name].isoformat())
            for name in self.sites
        ]

    def _ask(self, message):
        name = next(n for n, node in self.ids.items() if node == message.metadata.dst_node_id)
        told = read_instruction(message)
        number = told.round
        self.asked.append((name, message.metadata.message_type, number))
        if message.metadata.message_type != "train":
            return Message(client_content({}, {"samples": 10}), reply_to=message)
        found = self.sites[name](number, read_arrays(message.content).get("weights", {}))
        if found is HANG:
            return None
        if isinstance(found, Error):
            return Message(found, reply_to=message)
        records, metrics, delay = (*found, 0.0)[:3]
        if not get_method(told.config.method).plan(told.config, number).sends_weights:
            records = {name: arrays for name, arrays in records.items() if name != "weights"}
        return Message(client_content(records, metrics), reply_to=message), delay


REAL = Deployment()


@pytest.fixture
def prepared(tmp_path):
    def prepare(**settings):
        config = make_config(
            {
                "data": "", "kind": "vectors", "sample-shape": "4", "seen-classes": "a,b", "rounds": 3,
                "share-categories": "false", "tensorboard": False, "min-clients": 2, "round-timeout": 5.0,
                "grace-period": 0.3, "quorum-timeout": 1.0, "out": str(tmp_path / "run"),
                **{key.replace("_", "-"): value for key, value in settings.items()},
            }
        )  # fmt: skip
        files = RunFiles(tmp_path / "run")
        files.folder.mkdir(exist_ok=True)
        files.write_config(config)
        return config, files

    return prepare


def play(prepared, grid, say=None, place=REAL):
    config, files = prepared
    run(grid, config, files, place, lambda record: None, say)
    return [record.to_json() for record in files.history()]


def reasons(record):
    clients = record["clients"]
    return {entry["site"]: entry["reason"] for entry in clients["failed"] + clients["refused"]}


def test_sites_that_hang_lag_or_answer_wrongly_are_named_and_the_run_ends(prepared):
    grid = Sites(a=honest(), b=honest(), c=hang, d=nan, e=misshapen, f=late(60))
    started = time.monotonic()
    history = play(prepared(), grid)
    assert time.monotonic() - started < 10
    assert [record["round"] for record in history] == [1, 2, 3]
    for record in history[:2]:  # no weights leave in the last
        assert record["clients"]["answered"] == 2
    first = reasons(history[0])
    assert first["c"] == first["f"] == "no reply in time"
    assert "not finite" in first["d"]
    assert "shape" in first["e"]
    assert reasons(history[1])["c"] == "still working on its message of round 1"
    assert [number for name, kind, number in grid.asked if (name, kind) == ("c", "train")] == [1]


def test_a_slow_site_takes_part_again_when_it_is_free(prepared):
    grid = Sites(a=late(0.4), b=late(0.4), slow=late(0.9))
    history = play(prepared(rounds=4, grace_period=0.1), grid)
    assert reasons(history[0])["slow"] == "no reply in time"
    assert len([1 for name, kind, _ in grid.asked if (name, kind) == ("slow", "train")]) >= 2


def test_a_site_that_comes_late_takes_part_from_the_next_round_on(prepared):
    grid = Sites(a=honest(), b=honest())
    first = honest()

    def joining(number, weights):
        if number == 2 and "late" not in grid.sites:
            grid.join("late", honest())
        return first(number, weights)

    grid.sites["a"] = joining
    history = play(prepared(), grid)
    assert [record["clients"]["answered"] for record in history] == [2, 2, 3]


def test_a_site_that_restarts_at_work_is_not_waited_for(prepared, monkeypatch):
    monkeypatch.setattr("server_app.asking.LOOK_EVERY", 0.1)
    grid = Sites(a=honest(), b=honest(), c=hang)

    def restarting(number, weights):
        grid.started["c"] = datetime(2100, 1, 1, tzinfo=UTC)
        return HANG

    grid.sites["c"] = restarting
    history = play(prepared(grace_period=4.0), grid)
    assert reasons(history[0])["c"] == "restarted while it was working"
    assert len([1 for name, kind, _ in grid.asked if (name, kind) == ("c", "train")]) == 3


def test_below_the_quorum_the_round_is_asked_again(prepared, monkeypatch):
    monkeypatch.setattr("server_app.rounds.AGAIN", 0.1)
    failures = iter([Error(1, "out of memory")])
    fine = honest()

    def once(number, weights):
        return next(failures, None) or fine(number, weights)

    said = []
    history = play(prepared(), Sites(a=honest(), b=once), said.append)
    assert [record["round"] for record in history] == [1, 2, 3]
    assert history[0]["clients"]["answered"] == 2
    assert any("out of memory" in sentence and "asking again" in sentence for sentence in said)


def test_without_a_quorum_the_run_ends_and_its_checkpoint_stays(prepared, monkeypatch):
    monkeypatch.setattr("server_app.rounds.AGAIN", 0.1)

    def gone(number, weights):
        return Error(1, "gone") if number == 2 else honest()(number, weights)

    config, files = prepared()
    with pytest.raises(RunFailedError, match=r"round 2: 1 sites answered.*gone.*checkpoint is kept"):
        play((config, files), Sites(a=honest(), b=gone))
    assert read_checkpoint(files.checkpoint)[0] == 1
    history = play((config, files), Sites(a=honest(), b=honest()))
    assert [record["round"] for record in history] == [1, 2, 3]


def test_too_few_sites_are_waited_for_and_named(prepared):
    said = []
    with pytest.raises(RunFailedError, match="only 1 of 2 sites are connected"):
        play(prepared(), Sites(a=honest()), said.append)
    assert said == ["waiting for sites: 1 of at least 2 are connected"]


@pytest.mark.parametrize("mode", ["screen", "report", "refuse", "clip", "ignore"])
def test_an_update_far_outside_the_others(prepared, mode):
    grid = Sites(a=honest(), b=honest(), c=honest(), poison=honest(100.0))
    config, files = prepared(rounds=1, outliers=mode)
    history = play((config, files), grid)
    outliers = history[0]["clients"]["outliers"]
    assert [entry["site"] for entry in outliers] == ([] if mode == "ignore" else ["poison"])
    assert ("poison" in reasons(history[0])) == (mode == "refuse")
    moved = {
        "report": 25.075,
        "ignore": 25.075,
        "refuse": 0.1,
        "screen": (3 * 0.1 + 0.25) / 4,
        "clip": (3 * 0.1 + 0.25) / 4,
    }[mode]
    assert mean_move(config, files) == pytest.approx(moved, rel=0.02)
    assert not (files.folder / ".spool").exists()


@pytest.mark.parametrize("kind", ["median", "trimmed-mean", "multi-krum"])
def test_robust_aggregation_is_not_steered_by_one(prepared, kind):
    sites = {name: honest(0.1) for name in "abcd"}
    config, files = prepared(rounds=1, aggregation=kind, outliers="ignore")
    play((config, files), Sites(**sites, poison=honest(100.0)))
    assert mean_move(config, files) == pytest.approx(0.1, rel=0.05)


def test_a_robust_aggregation_with_too_few_updates_takes_their_median(prepared):
    config, files = prepared(rounds=1, aggregation="multi-krum", outliers="ignore")
    play((config, files), Sites(a=honest(0.1), b=honest(0.1), poison=honest(100.0)))
    assert mean_move(config, files) == pytest.approx(0.1, rel=0.05)


NOISY = {"central_clip_norm": 2.0, "central_noise_multiplier": 3.0}


def test_clipped_updates_move_the_mean_by_no_more_than_their_share(prepared):
    config, files = prepared(rounds=1, central_clip_norm=2.0)
    play((config, files), Sites(a=honest(), b=honest(), poison=honest(-100.0)))
    weights = load_weights(config, files)
    moved = np.concatenate([(after - before).ravel() for before, after in weights])
    assert np.linalg.norm(moved) == pytest.approx(2.0 / 3, rel=1e-3)  # two ahead, one back: one norm over three sites
    assert json.loads(files.metrics.read_text())["privacy"]["central"]["epsilon"] is None


def test_central_noise_is_on_the_model_and_its_epsilon_in_the_record(prepared):
    config, files = prepared(rounds=3, **NOISY)
    history = play((config, files), Sites(a=honest(0), b=honest(0)))
    noise = np.concatenate([(after - before).ravel() for before, after in load_weights(config, files)])
    assert noise.std() == pytest.approx(2**0.5 * 3.0 * 2.0 / 2, rel=0.03)  # the closing round changes no weights
    assert [record["privacy"]["central"]["epsilon"] for record in history] == [
        pytest.approx(epsilon(3.0, n)) for n in (1, 2, 2)
    ]
    assert json.loads(files.metrics.read_text())["privacy"] == history[-1]["privacy"]


def test_a_noised_simulation_that_breaks_off_goes_on_as_if_it_had_not(prepared):
    grid = Sites(a=honest(), b=honest(0.3))
    config, files = prepared(data="digits", clients=2, **NOISY)
    here = Simulation(files.sites)
    straight = play((config, files), grid, place=here)
    expected = [after for _, after in load_weights(config, files)]
    files.checkpoint.unlink()

    def stop(record):
        if record.round == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(grid, config, files, here, stop)
    resumed = play((config, files), grid, place=here)
    assert [record["privacy"] for record in resumed] == [record["privacy"] for record in straight]
    for (_, found), wanted in zip(load_weights(config, files), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def load_weights(config, files):
    """Pairs of initial and final weights."""
    from common.run.model_files import load_model
    from server_app.methods.fedlpa.server import FedLPAServer

    after = load_model(files.model).weights
    return [(before, after[name]) for name, before in FedLPAServer(config, Deployment()).weights().items()]


def test_answers_that_are_refused_do_not_hurry_the_others(prepared):
    """The grace period starts with ``min-clients`` answers that count."""
    grid = Sites(a=late(0.5), b=late(0.6), d=nan, e=misshapen)
    history = play(prepared(grace_period=0.05), grid)
    assert [record["clients"]["answered"] for record in history] == [2, 2, 2]
    assert len([1 for name, kind, _ in grid.asked if (name, kind) == ("b", "train")]) == 3


def mean_move(config, files):
    """How far the round has moved the weights, in the mean over all of them."""
    from common.methods.registry import get_method
    from common.run.model_files import load_model
    from server_app.methods.fedlpa.server import FedLPAServer

    assert get_method(config.method).name == "fedlpa"
    before = FedLPAServer(config, Deployment()).weights()
    after = load_model(files.model).weights
    return float(np.mean(np.concatenate([(after[name] - before[name]).ravel() for name in before])))


def test_the_record_of_a_round_can_be_read_by_anybody(prepared):
    history = play(prepared(), Sites(a=honest(), b=honest(), c=hang))
    assert json.loads(json.dumps(history, allow_nan=False)) == history
