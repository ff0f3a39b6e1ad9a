import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from server_app.methods.gcd import merge_centroids


def _rows(m=12, d=5, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(m, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), rng.integers(5, 90, m)


def _partition(group):
    return {frozenset(np.flatnonzero(group == g).tolist()) for g in np.unique(group)}


def test_novel_centroids_are_clustered_as_scikit_learn_does_with_their_counts():
    rows, counts = _rows()
    catalogue, category = merge_centroids(rows, np.full(12, -1), counts, 4, seed=0)
    best = KMeans(4, n_init=50, random_state=1).fit(rows, sample_weight=counts)
    assert _partition(category) == _partition(best.labels_)
    for k in range(4):
        mean = np.average(rows[category == k], axis=0, weights=counts[category == k])
        np.testing.assert_allclose(catalogue.rows[k], mean / np.linalg.norm(mean), rtol=1e-5, atol=1e-6)
        assert catalogue.counts[k] == counts[category == k].sum()
    assert catalogue.counts.tolist() == sorted(catalogue.counts, reverse=True)
    assert catalogue.numbers.tolist() == [1, 2, 3, 4]


def test_seen_ones_merge_by_name_and_novel_ones_share_what_is_left_of_k():
    rows, counts = _rows()
    names = np.array([0, -1, 3, -1, -1, 3, 0, -1, -1, -1, 3, -1])
    catalogue, category = merge_centroids(rows, names, counts, 5, seed=0)
    assert catalogue.names.tolist() == [0, 3, -1, -1, -1]
    assert set(category[names == 0]) == {0}
    assert set(category[names == 3]) == {1}
    assert set(category[names < 0]) == {2, 3, 4}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), data=st.data())
def test_the_order_of_clients_does_not_show(seed, data):
    rows, counts = _rows(9, seed=seed)
    names = np.random.default_rng(seed).integers(-3, 2, 9).clip(-1)
    order = np.array(data.draw(st.permutations(range(9))))
    plain, category = merge_centroids(rows, names, counts, 4, seed=0)
    shuffled, other = merge_centroids(rows[order], names[order], counts[order], 4, seed=0)
    np.testing.assert_array_equal(other, category[order])
    for name, array in plain.arrays().items():
        np.testing.assert_array_equal(shuffled.arrays()[name], array)


def test_where_all_categories_have_names_the_rest_joins_the_nearest():
    rows = np.array([[1, 0], [0, 1], [0.8, 0.6], [0.6, 0.8]], np.float32)
    catalogue, category = merge_centroids(rows, np.array([0, 1, -1, -1]), np.array([9, 9, 5, 5]), 2, seed=0)
    assert category.tolist() == [0, 1, 0, 1]
    assert catalogue.counts.tolist() == [14, 14]


@pytest.mark.parametrize("m", [0, 1, 3])
def test_fewer_centroids_than_categories(m):
    rows, counts = _rows(m)
    catalogue, category = merge_centroids(rows, np.full(m, -1), counts, 6, seed=0)
    assert len(catalogue) == m
    assert sorted(category) == list(range(m))
