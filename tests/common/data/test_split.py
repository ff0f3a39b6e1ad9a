import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.dataset import Dataset
from common.data.read import read_dataset
from common.data.split import split_federation, without_labels
from common.errors import InputError


def _dataset(labels):
    x = np.arange(len(labels), dtype=np.float32)[:, None]
    return Dataset("vectors", x, tuple(labels), tuple(str(i) for i in range(len(labels))), "memory")


def _split(dataset, **changes):
    return split_federation(dataset, **({"clients": 3, "alpha": 0.2, "seed": 0} | changes))


@settings(max_examples=40, deadline=None)
@given(
    labels=st.lists(st.sampled_from(["10", "9", "cat", None]), min_size=3, max_size=60).filter(
        lambda labels: sum(label is not None for label in labels) >= 3
    ),
    clients=st.integers(1, 3),
    alpha=st.sampled_from([1e-300, 0.01, 0.2, 1, 1e308]),
    fraction=st.sampled_from([0, 0.1, 0.5, 1]),
    seed=st.integers(0, 2**32),
)
def test_every_sample_is_somewhere_once_and_labels_are_hidden_as_asked(labels, clients, alpha, fraction, seed):
    dataset = _dataset(labels)
    split = _split(dataset, clients=clients, alpha=alpha, seed=seed, labelled_fraction=fraction)
    assert len(split.sites) == clients
    assert np.sort(np.concatenate(split.sites)).tolist() == list(range(len(labels)))
    assert all((np.diff(site) > 0).all() for site in split.sites)
    order = [name for name in ("9", "10", "cat") if name in labels]
    assert split.seen == tuple(order[: max(1, len(order) // 2)])
    assert split.classes == tuple(order)
    counts = Counter(label for label, shown in zip(labels, split.labelled, strict=True) if shown)
    for name in split.seen:
        expected = math.floor(fraction * labels.count(name) + 0.5)
        assert counts.pop(name, 0) == (max(1, expected) if fraction else 0)
    assert not counts
    without = [sum(labels[i] is None for i in site) for site in split.sites]
    assert max(without) - min(without) <= 1


def test_the_seed_decides_everything():
    digits = read_dataset("digits")
    first, again, other = (_split(digits, seed=seed) for seed in (1, 1, 2))
    for mine, same, different in zip(first.sites, again.sites, other.sites, strict=True):
        np.testing.assert_array_equal(mine, same)
        assert not np.array_equal(mine, different)
    np.testing.assert_array_equal(first.labelled, again.labelled)
    assert (first.labelled != other.labelled).any()


def test_alpha_rules_how_uneven_the_sites_are_and_rows_are_dealt_at_random():
    digits = read_dataset("digits")
    truth = np.array([int(label) for label in digits.labels])

    def unevenness(alpha):
        split = _split(digits, clients=5, alpha=alpha)
        counts = np.array([np.bincount(truth[site], minlength=10) for site in split.sites])
        return (counts / counts.sum(0)).std()

    assert unevenness(0.05) > 2 * unevenness(1.0) > 4 * unevenness(100.0)
    even = _split(digits, clients=2, alpha=1e6)
    assert abs(np.mean(even.sites[0]) - np.mean(even.sites[1])) < 100  # not the first half against the second


def test_seen_classes_as_asked():
    dataset = _dataset(["a", "b", "c", "d"] * 5)
    split = _split(dataset, seen_classes=("d", "b", "d"))
    assert split.seen == ("b", "d")
    assert split.classes == ("b", "d", "a", "c")
    shown = {label for label, is_shown in zip(dataset.labels, split.labelled, strict=True) if is_shown}
    assert shown == {"b", "d"}


def test_one_class_runs():
    split = _split(_dataset(["a"] * 10))
    assert (split.seen, split.classes, split.labelled.sum()) == (("a",), ("a",), 5)


@pytest.mark.parametrize(
    ("labels", "changes", "sentence"),
    [
        ("aabb", {"alpha": 0.0}, r"alpha is 0.0 but must be a number above 0"),
        ("aabb", {"alpha": math.nan}, r"alpha is nan but must"),
        ("aabb", {"alpha": math.inf}, r"alpha is inf but must"),
        ("aabb", {"clients": 0}, r"0 clients make no federation; ask for at least 1"),
        (
            "aabb",
            {"clients": 5},
            r"memory holds 4 samples, too few for 5 clients; ask for at most 4",
        ),
        ("aabb", {"labelled_fraction": 1.5}, r"labelled fraction is 1.5 but must lie between 0 and 1"),
        ("aabb", {"labelled_fraction": math.nan}, r"labelled fraction is nan"),
        ("aabb", {"seed": -1}, r"seed -1 is negative"),
        ("aabb", {"seen_classes": ("A1", "b")}, r"memory has no class 'A1' to be a seen class; known: a, b"),
        (
            "a",
            {"clients": 1},
            r"memory holds one sample, which cannot be split; a simulation needs at least 2",
        ),
        ([None] * 5, {"seen_classes": ("a",)}, r"memory holds no labels, so 'a' cannot be a seen class"),
    ],
)
def test_what_cannot_be_split(labels, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        _split(_dataset(labels), **changes)


def test_a_file_without_labels_is_spread_evenly_and_has_no_classes():
    split = _split(_dataset([None] * 10), clients=3)
    assert split.seen == split.classes == ()
    assert not split.labelled.any()
    assert sorted(len(rows) for rows in split.sites) == [3, 3, 4]
    assert np.sort(np.concatenate(split.sites)).tolist() == list(range(10))


def test_labels_can_be_taken_from_sites_and_from_no_others():
    split = _split(_dataset("aabb" * 20), clients=3, alpha=100)
    bare = without_labels(split, [1, 2])
    assert not bare.labelled[np.concatenate([split.sites[1], split.sites[2]])].any()
    assert (bare.labelled[split.sites[0]] == split.labelled[split.sites[0]]).all()
    assert split.labelled[split.sites[1]].any()
