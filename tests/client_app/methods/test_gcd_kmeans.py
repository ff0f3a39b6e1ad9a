import numpy as np
import pytest
from sklearn.cluster import KMeans

from client_app.methods.gcd.kmeans import semi_supervised_kmeans


def _blobs(n=40, k=4, d=6, spread=0.3, seed=0):
    rng = np.random.default_rng(seed)
    centres = 3 * rng.normal(size=(k, d))
    true = np.repeat(np.arange(k), n)
    return centres[true] + spread * rng.normal(size=(k * n, d)), true


def _none(n):
    return np.full(n, -1, dtype=np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_without_labels_it_is_scikit_learns_kmeans_from_the_same_start(seed):
    x, _ = _blobs(spread=3.0, seed=seed)
    start = x[np.random.default_rng(seed).permutation(len(x))[:5]]
    ours = semi_supervised_kmeans(x, _none(len(x)), 5, seed=0, trials=1, start=start)
    theirs = KMeans(5, init=start, n_init=1, tol=0, algorithm="lloyd").fit(x)
    np.testing.assert_array_equal(ours.assigned, theirs.labels_)
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_)
    assert ours.inertia == pytest.approx(theirs.inertia_)
    assert (ours.names == -1).all()


def test_its_own_starts_find_what_scikit_learn_finds():
    x, true = _blobs()
    ours = semi_supervised_kmeans(x, _none(len(x)), 4, seed=1, trials=10)
    assert ours.inertia == pytest.approx(KMeans(4, n_init=10, random_state=0).fit(x).inertia_)
    assert len(np.unique(np.stack([ours.assigned, true]), axis=1).T) == 4


def test_labelled_samples_stay_and_their_clusters_come_first_under_their_names():
    x, true = _blobs(spread=2.5)
    labels = np.where(np.isin(true, [1, 3]) & (np.arange(len(x)) % 3 == 0), true, -1)
    labels[0] = 3  # a labelled sample far from its class does not move either
    found = semi_supervised_kmeans(x, labels, 4, seed=0, trials=5)
    assert found.names.tolist() == [1, 3, -1, -1]
    assert (found.names[found.assigned[labels >= 0]] == labels[labels >= 0]).all()
    for c in range(4):
        np.testing.assert_allclose(found.centroids[c], x[found.assigned == c].mean(axis=0))
    free = labels < 0
    nearest = ((x[:, None] - found.centroids) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(found.assigned[free], nearest[free])


def test_it_repeats_with_the_seed_and_more_trials_are_no_worse():
    x, _ = _blobs(k=7, spread=2.0)
    one, again = (semi_supervised_kmeans(x, _none(len(x)), 7, seed=3, trials=1) for _ in range(2))
    np.testing.assert_array_equal(one.assigned, again.assigned)
    assert semi_supervised_kmeans(x, _none(len(x)), 7, seed=3, trials=20).inertia <= one.inertia


@pytest.mark.parametrize(
    ("labels", "k", "names"),
    [
        ([0, 0, 1], 2, [0, 1]),
        ([0, 0, 1], 5, [0, 1]),
        ([-1, -1, -1], 9, [-1, -1, -1]),
        ([0, 1, -1], 2, [0, 1]),
        ([2, -1, -1], 1, [2]),
    ],
)
def test_few_samples_and_a_k_that_does_not_fit(labels, k, names):
    x = np.array([[0.0, 0], [1, 0], [0, 3]])
    found = semi_supervised_kmeans(x, np.array(labels), k, seed=0, trials=3)
    assert found.names.tolist() == names
    assert np.isfinite(found.centroids).all()


def test_identical_samples_do_not_break_it():
    found = semi_supervised_kmeans(np.ones((20, 3)), _none(20), 4, seed=0, trials=2)
    assert found.inertia == pytest.approx(0)
    assert np.isfinite(found.centroids).all()
