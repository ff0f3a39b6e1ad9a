"""Clipping and noise at the server, against closed forms; whole runs are in ``test_round_loop.py``."""

from pathlib import Path

import numpy as np
import pytest

from common.config import make_config
from common.place import Deployment, Simulation
from common.wire.records import WEIGHTS
from server_app.aggregate.noisy import NoisyMean, clip_reply
from server_app.aggregate.robust import make_aggregate
from server_app.method import Reply

HERE = Simulation(Path())
SETTINGS = {"central-clip-norm": "2", "central-noise-multiplier": "3", "share-categories": "false"}


def update(value, size=30_000):
    return {"w": np.full(size, value, np.float32)}


def noisy_mean(values, place=HERE, **settings):
    mean = make_aggregate(make_config({**SETTINGS, **settings}), place)
    assert isinstance(mean, NoisyMean)
    for value, weight in values:
        mean.add(update(value), weight)
    return mean.result()["w"]


@pytest.mark.parametrize("sites", [1, 4, 16])
def test_noise_on_the_mean_is_multiplier_times_norm_over_sites(sites):
    found = noisy_mean([(0.5, 10)] * sites)
    assert found.std() == pytest.approx(3 * 2 / sites, rel=0.02)
    assert found.mean() == pytest.approx(0.5, abs=5 * 6 / sites / 30_000**0.5)


def test_every_site_counts_the_same():
    """Else a site with many samples would move the mean by more than its share of the noise hides."""
    found = noisy_mean([(0.0, 1), (1.0, 1000)], **{"central-noise-multiplier": "0.001"})
    assert found.mean() == pytest.approx(0.5, abs=1e-3)


def test_the_order_of_replies_does_not_show_and_simulated_noise_repeats():
    values = [(0.1, 3), (0.7, 5), (-0.3, 2)]
    np.testing.assert_array_equal(noisy_mean(values), noisy_mean(values[::-1]))
    assert np.any(noisy_mean(values) != noisy_mean(values, seed="1"))


def test_noise_of_a_real_federation_does_not_repeat():
    real = {"data": "", "kind": "vectors", "sample-shape": "4", "seen-classes": "x,y"}
    assert np.any(noisy_mean([(0.0, 1)], Deployment(), **real) != noisy_mean([(0.0, 1)], Deployment(), **real))


def test_it_is_the_place_that_decides_and_not_what_the_settings_look_like():
    """A deployment's settings may name data, and a simulation's none: neither says where the run takes place."""
    assert np.any(noisy_mean([(0.0, 1)], Deployment()) != noisy_mean([(0.0, 1)], Deployment()))
    np.testing.assert_array_equal(noisy_mean([(0.0, 1)], data=""), noisy_mean([(0.0, 1)], data=""))


def test_updates_are_clipped_before_they_are_joined():
    before = {"w": np.ones(100, np.float32)}
    reply = Reply("a", {WEIGHTS: {"w": before["w"] + 1}}, {"samples": 10})
    clipped = clip_reply(reply, before, 2.0)
    np.testing.assert_allclose(clipped.records[WEIGHTS]["w"], 1.2, rtol=1e-6)  # an update of norm 10 cut to 2
    assert clip_reply(reply, before, None) is reply
