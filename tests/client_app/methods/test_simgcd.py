"""The round of ``fedavg-simgcd`` at a site."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from common.models import all_features, restore_network

BASE = {"samples", "labelled"}
LOSSES = {f"loss-{name}" for name in ("total", "contrastive", "supervised", "self-distillation", "prior-alignment")}


@pytest.fixture
def begin(start: Callable[..., Any]) -> Callable[..., Any]:
    def make(**settings: object) -> Any:
        return start(method="fedavg-simgcd", head_rows=4, rounds=3, **settings)

    return make


def test_what_leaves_in_each_round_twice_alike(begin: Callable[..., Any]) -> None:
    site, records = begin()
    found = site.ask_each_twice(3, records)
    assert [site.task(number).plan.phase for number in found] == ["preparation", "warm-up", "closing"]
    assert [set(answer.records) for answer in found.values()] == [{"weights"}, {"weights", "truth"}, {"truth"}]
    assert [set(answer.metrics) for answer in found.values()] == [
        BASE, BASE | LOSSES | {"seen-accuracy"}, BASE | {"seen-accuracy"},
    ]  # fmt: skip
    assert not site.state.path.exists()


@pytest.mark.parametrize("number", [2, 3])
def test_the_incoming_head_is_scored_and_not_the_trained_one(begin: Callable[..., Any], number: int) -> None:
    site, records = begin()
    rng = np.random.default_rng(3)
    weights = dict(records["weights"])
    weights["head.weight"] = rng.normal(size=weights["head.weight"].shape).astype(np.float32)
    answer = site.ask(number, {"weights": weights})
    head = weights["head.weight"] / np.linalg.norm(weights["head.weight"], axis=1, keepdims=True)
    cosines = all_features(restore_network(site.config, weights), site.data.x).numpy() @ head.T
    hidden, truth = site.data.labels < 0, site.data.truth
    expected = np.zeros((4, 4), int)
    for k, t in zip(cosines.argmax(axis=1)[hidden], truth[hidden], strict=True):
        expected[k, t] += 1
    np.testing.assert_array_equal(answer.records["truth"]["counts"], expected)
    seen = hidden & (truth < 2)
    accuracy = (cosines[:, :2].argmax(axis=1) == truth)[seen].mean()
    assert answer.metrics["seen-accuracy"] == pytest.approx(accuracy)


def test_preparation_measures_the_input_alone_and_training_moves_the_head(begin: Callable[..., Any]) -> None:
    site, records = begin()
    sent = site.ask(1, records).records["weights"]
    moved = {name for name in sent if not np.array_equal(sent[name], records["weights"][name])}
    assert moved == {"input_mean", "input_square"}
    trained = site.ask(2, {"weights": sent}).records["weights"]
    assert not np.array_equal(trained["head.weight"], sent["head.weight"])
    np.testing.assert_array_equal(trained["input_mean"], sent["input_mean"])


def test_the_sites_own_prior_is_a_switch(begin: Callable[..., Any]) -> None:
    uniform, local = (begin(folder=prior, prior=prior) for prior in ("uniform", "local"))
    losses = [site.ask(2, records).metrics["loss-prior-alignment"] for site, records in (uniform, local)]
    assert losses[0] != losses[1]


def test_an_institution_sends_no_truth(begin: Callable[..., Any]) -> None:
    site, records = begin(real=True, categories=4)
    for number in (2, 3):
        answer = site.ask(number, records)
        assert set(answer.records) == ({"weights"} if number == 2 else set())
        assert "seen-accuracy" not in answer.metrics
