import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from client_app.training.neighbours import mutual_neighbours


def _brute_force(x, labels, k):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    unit = unit - unit.mean(axis=0)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    near = [{int(j) for j in [j for j in np.argsort(-(unit @ row)) if j != i][:k]} for i, row in enumerate(unit)]
    lists = []
    for i in range(len(x)):
        mutual = {j for j in near[i] if i in near[j]}
        lists.append({j for j in mutual if labels[i] < 0 or labels[j] < 0 or labels[i] == labels[j]} or {i})
    return lists


def _lists(found):
    return [found.ids[a:b].tolist() for a, b in zip(found.starts, found.starts[1:], strict=False)]


@pytest.mark.parametrize(("n", "k"), [(40, 5), (40, 1), (6, 10), (2, 3), (1, 3)])
@pytest.mark.parametrize("labelled", [False, True])
def test_neighbours_name_each_other_and_do_not_differ_in_label(n, k, labelled):
    rng = np.random.default_rng(n + k)
    x = rng.normal(size=(n, 4)) + 1
    labels = rng.integers(-1, 2, n) if labelled else np.full(n, -1)
    found = _lists(mutual_neighbours(torch.from_numpy(x), labels, k))
    expected = _brute_force(x, labels, k) if n > 1 else [{0}]
    assert [set(ids) for ids in found] == expected
    assert all(len(ids) == len(set(ids)) for ids in found)


def test_labels_matter_in_that_test():
    x = np.random.default_rng(45).normal(size=(40, 4)) + 1
    labels = np.random.default_rng(1).integers(-1, 2, 40)
    assert _brute_force(x, labels, 5) != _brute_force(x, np.full(40, -1), 5)


def test_draws_are_uniform_over_the_neighbours_and_repeat_with_the_seed():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(30, 3)))
    lists = mutual_neighbours(x, np.full(30, -1), 8)
    neighbours = _lists(lists)
    sample = max(range(30), key=lambda i: len(neighbours[i]))
    batch = np.tile([sample, 3], 3000)
    drawn = lists.draw(batch, np.random.default_rng(1))
    assert set(drawn[1::2].tolist()) == set(neighbours[3])
    counts = np.bincount(drawn[::2], minlength=30)
    assert counts[neighbours[sample]].sum() == 3000
    assert chisquare(counts[neighbours[sample]]).pvalue > 1e-4
    np.testing.assert_array_equal(drawn, lists.draw(batch, np.random.default_rng(1)))
