from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.cluster import contingency_matrix

from common.discovery.scores import Scores, count_matrix, match, mean_scores, score


def _all_matchings(counts):
    """Every one-to-one matching of a small count matrix as a list of (predicted, true) pairs."""
    rows, columns = counts.shape
    if rows >= columns:
        return [list(zip(p, range(columns), strict=True)) for p in permutations(range(rows), columns)]
    return [list(zip(range(rows), p, strict=True)) for p in permutations(range(columns), rows)]


def _accuracy(counts, matching, columns):
    total = counts[:, columns].sum()
    hits = sum(int(counts[p, t]) for p, t in matching if t in columns)
    return hits / total if total else None


def _same(a, b):
    return a == b if a is None or b is None else a == pytest.approx(b)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (1, 4), (5, 1)])
def test_scores_are_those_of_a_best_matching_by_brute_force(shape):
    rng = np.random.default_rng(shape[0] * 10 + shape[1])
    for _ in range(15):
        counts = rng.integers(0, 6, shape)
        old = rng.random(shape[1]) < 0.5
        everything = list(range(shape[1]))
        seen, novel = np.flatnonzero(old).tolist(), np.flatnonzero(~old).tolist()
        triples = [
            tuple(_accuracy(counts, m, columns) for columns in (everything, seen, novel))
            for m in _all_matchings(counts)
        ]
        best = max((t[0] for t in triples if t[0] is not None), default=None)
        found = score(counts, old.tolist())
        assert _same(found.all, best)
        # Several matchings may be best; the split must come from one of them.
        split = (found.all, found.old, found.new)
        assert any(all(map(_same, triple, split)) for triple in triples)


def test_one_matching_over_all_samples_decides_old_and_new_alike():
    # Class 0 (old) alone would take category 0; matching everything at once gives it to class 1.
    counts = np.array([[3, 5], [2, 0]])
    assert score(counts, [True, False]) == Scores(7 / 10, 2 / 5, 1.0)


def test_a_part_without_samples_has_no_score():
    counts = np.array([[4, 0], [0, 6]])
    assert score(counts, [True, True]) == Scores(1.0, 1.0, None)
    assert score(counts, [False, False]) == Scores(1.0, None, 1.0)
    assert score(np.array([[3, 0], [1, 0]]), [True, False]) == Scores(0.75, 0.75, None)
    assert score(np.zeros((2, 2), dtype=int), [True, False]) == Scores(None, None, None)
    assert score(np.zeros((0, 2), dtype=int), [True, False]) == Scores(None, None, None)


def test_a_class_that_no_category_is_left_for_scores_zero():
    assert score(np.array([[5, 3]]), [True, False]) == Scores(5 / 8, 1.0, 0.0)


def test_matching_is_one_to_one():
    matching = match(np.array([[9, 8], [9, 8], [9, 1]]))
    assert len(matching) == 2
    assert sorted(matching.values()) == [0, 1]


def test_count_matrix_is_the_contingency_table():
    rng = np.random.default_rng(0)
    true = np.concatenate([np.arange(4), rng.integers(0, 4, 200)])
    predicted = np.concatenate([[0, 1, 2, 2], rng.integers(0, 3, 200)])
    np.testing.assert_array_equal(count_matrix(predicted, true, (3, 4)), contingency_matrix(true, predicted).T)


def test_count_matrix_leaves_out_unknown_truth_and_keeps_empty_rows_and_columns():
    counts = count_matrix(np.array([0, 2, 2]), np.array([1, -1, 0]), (4, 3))
    assert counts.shape == (4, 3)
    assert counts.sum() == 2
    assert counts[0, 1] == counts[2, 0] == 1


@settings(max_examples=50, deadline=None)
@given(
    samples=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(-1, 3)), max_size=60),
    old=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_summed_client_counts_score_like_the_pooled_predictions(samples, old):
    site, predicted, true = (np.array([s[i] for s in samples], dtype=np.int64) for i in range(3))
    parts = [count_matrix(predicted[site == k], true[site == k], (5, 4)) for k in range(3)]
    pooled = np.zeros((5, 4), dtype=np.int64)
    for _, p, t in samples:
        if t >= 0:
            pooled[p, t] += 1
    assert score(sum(parts), old) == score(pooled, old)


def test_mean_scores_weigh_by_samples_and_leave_out_clients_without_a_score():
    mean = mean_scores([(Scores(0.5, 1.0, None), 10), (Scores(0.8, None, 0.2), 30), (Scores(0.0, 0.0, 0.0), 0)])
    assert mean.all == pytest.approx((0.5 * 10 + 0.8 * 30) / 40)
    assert mean.old == 1.0
    assert mean.new == pytest.approx(0.2)
    assert mean_scores([]) == Scores(None, None, None)
