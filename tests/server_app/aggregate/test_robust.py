"""Robust forms of aggregation against slow ones, written from their definitions one number at a time."""

import statistics
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from common.config import make_config
from common.place import Deployment
from server_app.aggregate.noisy import NoisyMean
from server_app.aggregate.robust import Aggregate, make_aggregate
from server_app.aggregate.running_mean import RunningMean

Update = dict[str, NDArray[np.float32]]
SHAPES = {"b": (3,), "a": (2, 2)}


def updates(n: int, bad: int = 0, seed: int = 0) -> list[Update]:
    """``n`` updates, the last ``bad`` of them far away."""
    rng = np.random.default_rng(seed)
    far = [0.0] * (n - bad) + [1000.0] * bad
    return [{name: (rng.normal(size=s) + far[i]).astype(np.float32) for name, s in SHAPES.items()} for i in range(n)]


def joined(given: Sequence[Update], weights: Sequence[float] | None = None, **settings: object) -> Update:
    aggregate = made(**settings)
    for update, weight in zip(given, weights or [1.0] * len(given), strict=True):
        aggregate.add(update, weight)
    return aggregate.result()


def made(**settings: object) -> Aggregate:
    return make_aggregate(make_config({name.replace("_", "-"): v for name, v in settings.items()}), Deployment())


def entry_by_entry(given: Sequence[Update], join: Callable[[list[float]], float]) -> Update:
    found = {name: np.zeros(shape, np.float64) for name, shape in SHAPES.items()}
    for name, shape in SHAPES.items():
        for place in product(*map(range, shape)):
            found[name][place] = join([float(update[name][place]) for update in given])
    return found


def assert_close(found: Update, expected: Update) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)


def trimmed(values: list[float], bad: int) -> float:
    kept = sorted(values)[bad : len(values) - bad]
    return sum(kept) / len(kept)


def multi_krum(given: Sequence[Update], weights: Sequence[float], bad: int) -> Update:
    """Blanchard et al. (2017): the n - f updates that are nearest to their n - f - 2 nearest others, averaged."""
    n = len(given)

    def distance(i: int, j: int) -> float:
        return sum(float(((given[i][name].astype(np.float64) - given[j][name]) ** 2).sum()) for name in SHAPES)

    score = [sum(sorted(distance(i, j) for j in range(n) if j != i)[: n - bad - 2]) for i in range(n)]
    kept = sorted(range(n), key=score.__getitem__)[: n - bad]
    total = sum(weights[i] for i in kept)
    return {name: sum(weights[i] * given[i][name].astype(np.float64) for i in kept) / total for name in SHAPES}


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_median_is_that_of_every_entry_whatever_the_samples(n: int) -> None:
    given = updates(n)
    found = joined(given, [10.0 * (i + 1) for i in range(n)], aggregation="median")
    assert_close(found, entry_by_entry(given, statistics.median))


@pytest.mark.parametrize(("n", "bad"), [(5, 0), (3, 1), (7, 2), (7, 3), (49, 1), (94, 31)])
def test_the_trimmed_mean_leaves_out_as_many_at_either_end_as_may_be_bad(n: int, bad: int) -> None:
    given = updates(n, bad)
    found = joined(given, aggregation="trimmed-mean", malicious_clients=bad)
    assert_close(found, entry_by_entry(given, lambda values: trimmed(values, bad)))
    assert max(float(np.abs(array).max()) for array in found.values()) < 10


@pytest.mark.parametrize(("n", "bad"), [(5, 1), (7, 2), (9, 3), (6, 1)])
def test_multi_krum_averages_the_updates_that_lie_close_together_by_their_samples(n: int, bad: int) -> None:
    given, weights = updates(n, bad), [1.0 + i for i in range(n)]
    found = joined(given, weights, aggregation="multi-krum", malicious_clients=bad)
    assert_close(found, multi_krum(given, weights, bad))
    assert max(float(np.abs(array).max()) for array in found.values()) < 10


@pytest.mark.parametrize(("kind", "n", "bad"), [("trimmed-mean", 4, 2), ("multi-krum", 4, 1), ("multi-krum", 6, 2)])
def test_too_few_updates_for_the_setting_are_joined_by_their_median(
    kind: str, n: int, bad: int, caplog: pytest.LogCaptureFixture
) -> None:
    given = updates(n)
    found = joined(given, aggregation=kind, malicious_clients=bad)
    assert_close(found, entry_by_entry(given, statistics.median))
    assert f"{n} updates are too few for {kind} with {bad} bad ones" in caplog.text


def test_tensors_keep_their_names_in_whatever_order_a_reply_has_them() -> None:
    given = updates(3)
    shuffled = [given[0], dict(reversed(given[1].items())), given[2]]
    for kind in ("median", "trimmed-mean"):
        assert_close(joined(shuffled, aggregation=kind), joined(given, aggregation=kind))


@pytest.mark.parametrize("kind", ["mean", "median", "trimmed-mean", "multi-krum"])
def test_a_round_without_updates_joins_to_nothing(kind: str) -> None:
    assert made(aggregation=kind).result() == {}


def test_what_the_settings_name_is_made() -> None:
    assert isinstance(made(), RunningMean)
    assert isinstance(made(central_clip_norm=1.0), RunningMean)
    assert isinstance(made(central_clip_norm=1.0, central_noise_multiplier=1.0), NoisyMean)
