from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from server_app.aggregate.running_mean import RunningMean


def _mean(replies):
    mean = RunningMean()
    for arrays, weight in replies:
        mean.add(arrays, weight)
    return mean.result()


def test_it_is_numpys_weighted_average():
    rng = np.random.default_rng(0)
    replies = [
        ({"w": rng.normal(size=(3, 4)).astype(np.float32), "b": rng.normal(size=5).astype(np.float32)}, weight)
        for weight in (10, 1, 300)
    ]
    found = _mean(replies)
    assert found.keys() == {"w", "b"}
    for name, array in found.items():
        expected = np.average([a[name].astype(np.float64) for a, _ in replies], axis=0, weights=[10, 1, 300])
        np.testing.assert_array_equal(array, expected.astype(np.float32))
        assert array.dtype == np.float32


def test_one_reply_comes_back_to_the_bit_and_none_is_empty():
    array = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    np.testing.assert_array_equal(_mean([({"w": array}, 7)])["w"], array)
    assert _mean([]) == {}


def test_it_does_not_keep_or_change_what_it_was_given():
    array = np.ones(3, np.float32)
    mean = RunningMean()
    mean.add({"w": array}, 2)
    mean.add({"w": np.zeros(3, np.float32)}, 2)
    array[:] = 9
    assert mean.result()["w"].tolist() == [0.5] * 3


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    weights=st.lists(st.integers(1, 10**6), min_size=2, max_size=8),
    data=st.data(),
)
def test_any_order_of_replies_gives_the_same_bits(seed, weights, data):
    rng = np.random.default_rng(seed)
    # Magnitudes far apart, where a plain float64 sum would show the order.
    replies = [
        ({"w": (rng.normal(size=16) * 10.0 ** rng.integers(-20, 20, 16)).astype(np.float32)}, weight)
        for weight in weights
    ]
    shuffled = data.draw(st.permutations(replies))
    assert _mean(replies)["w"].tobytes() == _mean(shuffled)["w"].tobytes()


def test_what_cancels_leaves_the_rest_in_any_order():
    # A plain float64 sum loses the small ones whenever a large one comes before them.
    values = [np.array([value], np.float32) for value in (1e20, 1.0, -1e20, 3.0)]
    for order in permutations(values):
        assert _mean([({"w": value}, 5) for value in order])["w"].tolist() == [1.0]


def test_the_type_of_what_comes_in_is_kept():
    mean = RunningMean()
    mean.add({"wide": np.array([1e9 + 0.25]), "narrow": np.array([1], dtype=np.float32)}, 1)
    result = mean.result()
    assert result["wide"].dtype == np.float64
    assert result["wide"][0] == 1e9 + 0.25
    assert result["narrow"].dtype == np.float32
