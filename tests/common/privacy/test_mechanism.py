"""Clipping and noise, bit for bit against Flower's own functions, which it keeps internal."""

from pathlib import Path

import numpy as np
import pytest
from flwr.supercore.differential_privacy import add_gaussian_noise_inplace, compute_clip_model_update, compute_stdv

from common.config import make_config
from common.place import Simulation
from common.privacy.mechanism import WORDS, add_noise, clip_update
from server_app.aggregate.noisy import CENTRAL, NoisyMean

SHAPES = {"conv": (8, 3, 3, 3), "bias": (), "alone": (1,), "table": (301, 97)}


def some_arrays(seed, dtype, scale=1.0):
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(0, scale, shape), dtype) for name, shape in SHAPES.items()}


def flat(arrays):
    return [np.array(arrays[name]).reshape(-1) for name in sorted(arrays)]


def assert_same_bits(found, expected):
    for name, array in zip(sorted(found), expected, strict=True):
        assert array.dtype == found[name].dtype
        assert found[name].shape == SHAPES[name]
        assert found[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("scale", "norm"), [(1.0, 2.0), (1e-6, 2.0), (1e3, 0.1), (1.0, 1e9), (0.0, 1.0)])
def test_clipping_is_flower_s(dtype, scale, norm):
    before, steps = some_arrays(0, dtype), some_arrays(1, dtype, scale)
    after = {name: before[name] + steps[name] for name in before}
    expected = flat(after)
    if scale:  # Flower divides by zero where nothing has changed
        compute_clip_model_update(expected, flat(before), norm)
    assert_same_bits(clip_update(after, before, norm), expected)


def test_an_update_too_small_for_its_norm_is_left_alone():
    before = {"w": np.zeros(3, np.float32)}
    after = {"w": np.full(3, 1e-30, np.float32)}
    np.testing.assert_array_equal(clip_update(after, before, 1.0)["w"], after["w"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("deviation", [0.7, 1e-9, 0.0])
def test_noise_is_flower_s(dtype, deviation):
    arrays, seed = some_arrays(0, dtype), (3, 1, 2)
    expected = flat(arrays)
    np.random.seed(np.random.SeedSequence(list(seed)).generate_state(WORDS))
    add_gaussian_noise_inplace(expected, deviation)
    assert_same_bits(add_noise(arrays, deviation, seed), expected)


def test_noise_on_a_mean_has_flower_s_deviation():
    config = make_config({"central-clip-norm": "0.3", "central-noise-multiplier": "1.7", "share-categories": "false"})
    mean = NoisyMean(config, Simulation(Path()))
    for _ in range(7):
        mean.add(some_arrays(0, np.float32), 3.0)
    expected = flat(some_arrays(0, np.float32))
    np.random.seed(np.random.SeedSequence([config.seed, 5, CENTRAL]).generate_state(WORDS))
    add_gaussian_noise_inplace(expected, compute_stdv(1.7, 0.3, 7))
    assert_same_bits(mean.result(5), expected)
