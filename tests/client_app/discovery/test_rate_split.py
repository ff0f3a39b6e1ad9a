import numpy as np
import pytest

from client_app.discovery.rate_split import rate_split
from common.discovery.similarity import Edges


def _cliques(sizes):
    ends = np.cumsum(sizes)
    pairs = [
        (i, j)
        for start, end in zip(ends - sizes, ends, strict=True)
        for i in range(start, end)
        for j in range(i + 1, end)
    ]
    source, target = np.array(pairs).T
    return Edges(source, target, np.ones(len(pairs)), np.ones(len(pairs), np.int64), int(sum(sizes)))


def _labels(sizes, labelled):
    """Class k on the first ``labelled[k]`` samples of clique k."""
    labels = np.full(sum(sizes), -1)
    start = 0
    for k, (size, count) in enumerate(zip(sizes, labelled, strict=True)):
        labels[start : start + count] = k
        start += size
    return labels


def test_parts_labelled_at_different_rates_come_apart():
    sizes = [40, 40, 40]
    together = np.repeat([0, 0, 1], sizes)
    found = rate_split(together, _cliques(sizes), _labels(sizes, [20, 0, 20]), seed=0)
    np.testing.assert_array_equal(found, np.repeat([0, 1, 2], sizes))


def test_two_seen_classes_in_one_community_come_apart():
    sizes = [40, 40]
    found = rate_split(np.zeros(80, int), _cliques(sizes), _labels(sizes, [20, 20]), seed=0)
    np.testing.assert_array_equal(found, np.repeat([0, 1], sizes))


@pytest.mark.parametrize(("rest", "split"), [(9, False), (10, True)])
def test_a_part_below_the_smallest_size_stays(rest, split):
    sizes = [40, rest]
    found = rate_split(np.zeros(sum(sizes), int), _cliques(sizes), _labels(sizes, [20, 0]), seed=0)
    assert (found.max() + 1) == (2 if split else 1)


@pytest.mark.parametrize(("rest", "split"), [(17, False), (20, True)])
def test_a_part_below_a_tenth_of_its_community_stays(rest, split):
    sizes = [80, 80, rest]
    labels = _labels([160, rest], [80, 0])
    labels[80:160] = np.where(np.arange(80) < 40, 0, -1)
    labels[:80] = np.where(np.arange(80) < 40, 0, -1)
    found = rate_split(np.zeros(sum(sizes), int), _cliques(sizes), labels, seed=0)
    assert (found.max() + 1) == (2 if split else 1)


def test_samples_of_tiny_micro_communities_stay_with_the_largest_part():
    sizes = [30, 20, 5]
    found = rate_split(np.zeros(55, int), _cliques(sizes), _labels(sizes, [16, 0, 0]), seed=0)
    np.testing.assert_array_equal(found, np.repeat([0, 1, 0], sizes))


def test_a_part_with_half_the_typical_share_is_the_class_and_less_is_not():
    sizes = [40, 40, 40, 40]
    for labelled, parts in ((10, 1), (9, 2)):
        labels = _labels(sizes, [20, 20, 20, 0])
        labels[120 : 120 + labelled] = 2
        found = rate_split(np.repeat([0, 1, 2, 2], sizes), _cliques(sizes), labels, seed=0)
        unlabelled = found[120 + labelled :]
        assert len(np.unique(np.concatenate([found[80:120], unlabelled]))) == parts


@pytest.mark.parametrize("labelled", [0, 15])
def test_with_hardly_any_labels_nothing_is_split(labelled):
    sizes = [40, 40]
    community = np.full(80, 3)
    found = rate_split(community, _cliques(sizes), _labels(sizes, [labelled, 0]), seed=0)
    np.testing.assert_array_equal(found, community)
    if labelled:
        split = rate_split(np.zeros(80, int), _cliques(sizes), _labels(sizes, [labelled + 1, 0]), seed=0)
        assert split.max() == 1
