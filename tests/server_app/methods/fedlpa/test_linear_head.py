import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from server_app.methods.fedlpa.linear_head import SHRINKAGE, linear_head


def problem(seed=0, n=400, d=6, k=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    spread = rng.normal(size=(d, d)) * 0.4
    return rng.normal(size=(k, d))[labels] * 0.8 + rng.normal(size=(n, d)) @ spread, labels


def statistics(x, labels, k):
    sums = np.stack([x[labels == c].sum(axis=0) for c in range(k)])
    counts = np.bincount(labels, minlength=k)
    within = x - (sums / np.maximum(counts, 1)[:, None])[labels]
    return sums, counts, within.T @ within


def test_it_is_linear_discriminant_analysis_with_a_uniform_prior():
    x, labels = problem()
    sums, counts, scatter = statistics(x, labels, 3)
    head = linear_head(sums, counts, scatter, np.eye(3, 6))
    mine = (x @ head[:, :-1].T + head[:, -1]).argmax(axis=1)
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE, priors=[1 / 3] * 3)
    # scikit-learn standardises before it shrinks; without shrinking both are the same classifier.
    plain = LinearDiscriminantAnalysis(solver="lsqr", priors=[1 / 3] * 3).fit(x, labels).predict(x)
    assert (mine == oracle.fit(x, labels).predict(x)).mean() > 0.98
    assert (mine == plain).mean() > 0.95


def test_a_category_without_statistics_is_found_by_its_row():
    x, labels = problem(2)
    sums, counts, scatter = statistics(x, labels, 3)
    row = sums[2] / np.linalg.norm(sums[2])
    sums[2], counts[2] = 0, 0
    head = linear_head(sums, counts, scatter, np.stack([row * 0, row * 0, row]))
    assert (x[labels == 2] @ head[:, :-1].T + head[:, -1]).argmax(axis=1).tolist().count(2) > 0.5 * (labels == 2).sum()
