import numpy as np
import pytest
from scipy.stats import norm as gauss

from common.privacy.accountant import epsilon, epsilon_of, privacy_sentences, spent
from common.privacy.mechanism import add_noise, clip_update
from common.run.record import NoiseSpent, PrivacySpent


@pytest.mark.parametrize(("multiplier", "rounds"), [(0.1, 27), (1.0, 1), (5.0, 10), (20.0, 27)])
def test_epsilon_is_exact_for_the_gaussian_mechanism(multiplier, rounds):
    """Balle and Wang's closed form of delta, evaluated at the epsilon found."""
    found, mu = epsilon(multiplier, rounds), 2 * rounds**0.5 / multiplier
    delta = gauss.cdf(mu / 2 - found / mu) - np.exp(found + gauss.logcdf(-mu / 2 - found / mu))
    assert delta == pytest.approx(1e-5, rel=1e-3)


@pytest.mark.parametrize(("multiplier", "rounds"), [(1.0, 27), (5.0, 10), (20.0, 27)])
def test_epsilon_is_below_what_renyi_composition_bounds(multiplier, rounds):
    """The bound that Flower's and others' accountants give: rho-zCDP to (epsilon, delta), Canonne et al. 2020."""
    rho = rounds * 2 / multiplier**2
    orders = np.linspace(1.001, 400, 200_000)
    bound = (rho * orders + (np.log(1e5) + (orders - 1) * np.log(1 - 1 / orders) - np.log(orders)) / (orders - 1)).min()
    assert 0.8 * bound < epsilon(multiplier, rounds) < bound


def test_epsilon_by_sampling():
    """The privacy loss of one release, drawn: delta is how far its tail reaches beyond epsilon."""
    multiplier, delta = 3.0, 1e-2
    found = epsilon(multiplier, 1, delta)
    x = np.random.default_rng(0).normal(0, multiplier, 2_000_000)  # outputs where the update is 0; else it is 2
    loss = ((x - 2) ** 2 - x**2) / (2 * multiplier**2)
    assert np.maximum(0, 1 - np.exp(found - loss)).mean() == pytest.approx(delta, rel=0.03)


def test_epsilon_without_noise_and_without_releases():
    assert epsilon(0.0, 3) == float("inf")
    assert epsilon(1.0, 0) == 0.0
    assert epsilon_of(spent(2.0) + spent(2.0)) == pytest.approx(epsilon(2.0, 2))


def arrays(rng, scale):
    return {
        "w": rng.normal(0, scale, (40, 30)).astype(np.float32),
        "mean": rng.normal(0, scale, 20),
        "scalar": np.float32(rng.normal(0, scale)).reshape(()),
    }


def test_clipping_keeps_the_direction_and_bounds_the_norm():
    rng = np.random.default_rng(0)
    before = arrays(rng, 1.0)
    after = {name: array + step for (name, array), step in zip(before.items(), arrays(rng, 1.0).values(), strict=True)}
    clipped = clip_update(after, before, 2.0)
    moved = np.concatenate([np.ravel(after[name] - before[name]) for name in before])
    kept = np.concatenate([np.ravel(clipped[name] - before[name]) for name in before])
    assert np.linalg.norm(kept) == pytest.approx(2.0, rel=1e-5)
    assert kept @ moved == pytest.approx(2.0 * np.linalg.norm(moved), rel=1e-5)
    for name in before:
        assert clipped[name].dtype == before[name].dtype
        assert clipped[name].shape == before[name].shape
        np.testing.assert_allclose(clip_update(after, before, 1e3)[name], after[name], rtol=1e-6)
        np.testing.assert_array_equal(clip_update(before, before, 2.0)[name], before[name])


def test_noise_has_the_deviation_asked_for_on_every_array():
    flat = {"a": np.zeros((200, 300), np.float32), "b": np.zeros(50_000)}
    noisy = add_noise(flat, 0.7, None)
    for name, array in noisy.items():
        assert array.dtype == flat[name].dtype
        assert array.std() == pytest.approx(0.7, rel=0.02)
        assert array.mean() == pytest.approx(0.0, abs=0.02)
        assert gauss.cdf(array.ravel()[:500], scale=0.7).std() == pytest.approx(12**-0.5, rel=0.1)
    assert not flat["a"].any()


def test_noise_repeats_with_a_seed_only_and_leaves_numpy_s_generator_alone():
    zeros = {"a": np.zeros(1000)}
    np.random.seed(5)
    expected = np.random.random(3)
    np.random.seed(5)
    drawn = [add_noise(zeros, 1.0, seed)["a"] for seed in ((1, 2), (1, 2), (1, 3), None, None)]
    np.testing.assert_array_equal(np.random.random(3), expected)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    for other in drawn[2:]:
        assert np.abs(np.corrcoef(drawn[0], other)[0, 1]) < 0.15
    assert np.any(drawn[3] != drawn[4])


def test_words():
    found = {"delta": 1e-5, "rounds": 27, "covers": "weights"}
    noisy = {"clip_norm": 1.0, "noise_multiplier": 5.0, "epsilon": epsilon(5.0, 27)}
    bare = {"clip_norm": 1.0, "noise_multiplier": 0.0, "epsilon": None}
    central, local = privacy_sentences(PrivacySpent(**found, central=NoiseSpent(**bare), local=NoiseSpent(**noisy)))
    assert "no bound on epsilon" in central
    assert "epsilon 10.5 at delta 1e-05" in local
    assert privacy_sentences(None) == []
