from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.discovery.catalogue import Catalogue
from server_app.methods.fedlpa.matching import agreed_names, centred_rows, join_rows, keep_numbers, match_rows


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _bundles(sizes, d=6, spread=0.3, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    return _unit(np.eye(len(sizes), d)[truth] + spread * rng.normal(size=(len(truth), d)) / d**0.5), truth


def _partition(groups):
    return {frozenset(np.flatnonzero(groups == g).tolist()) for g in np.unique(groups)}


def _slow_average_link(unit, weight, threshold):
    """Average link as the textbook has it: mean pairwise cosine of two groups, each row counted by its weight."""
    groups = [[i] for i in range(len(unit))]
    while len(groups) > 1:
        best, pair = -np.inf, None
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                w = np.outer(weight[groups[a]], weight[groups[b]])
                mean = (w * (unit[groups[a]] @ unit[groups[b]].T)).sum() / w.sum()
                if mean > best:
                    best, pair = mean, (a, b)
        if best <= threshold:
            break
        groups[pair[0]] += groups.pop(pair[1])
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("threshold", [-0.2, 0.2, 0.6, 0.9])
def test_joining_is_weighted_average_link(threshold):
    rng = np.random.default_rng(0)
    several = 0
    for m in (1, 2, 5, 9, 14):
        unit, weight = _unit(rng.normal(size=(m, 3))), rng.integers(1, 50, m).astype(float)
        found = _partition(join_rows(unit, weight, threshold))
        assert found == _slow_average_link(unit, weight, threshold)
        several += 1 < len(found) < m
    assert several
    assert join_rows(np.zeros((0, 3)), np.zeros(0), threshold).tolist() == []


def test_the_weights_of_rows_decide():
    # b is near to a and c alike; which pair of groups is nearest depends on the weight behind a's partner.
    angles = np.array([0.0, 0.5, 1.1])
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    light = _partition(join_rows(unit, np.array([100.0, 1.0, 1.0]), 0.6))
    heavy = _partition(join_rows(unit, np.array([1.0, 100.0, 1.0]), 0.6))
    assert light == {frozenset({0, 1}), frozenset({2})}
    assert heavy == {frozenset({0, 1, 2})}


def test_ties_do_not_depend_on_the_order_of_rows():
    # The middle row is as near to the first as to the last, and can join only one of them.
    rows = np.array([[1, 0], [0.5**0.5, 0.5**0.5], [0, 1]])
    found = set()
    for order in permutations(range(3)):
        group = join_rows(rows[list(order)], np.ones(3), 0.6)
        found.add(frozenset(frozenset(order[i] for i in part) for part in _partition(group)))
    assert len(found) == 1
    assert len(found.pop()) == 2


def _match(rows, names, counts, threshold=0.6, centre=None):
    centre = np.zeros(rows.shape[1], np.float32) if centre is None else centre
    return match_rows(rows.astype(np.float32), np.asarray(names), np.asarray(counts), centre, threshold)


def test_equal_names_merge_and_named_rows_never_join_novel_ones():
    rows = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]], float)
    matched = _match(rows, [4, 4, 2, -1, -1], [10, 30, 5, 7, 9])
    catalogue = matched.catalogue
    assert catalogue.names.tolist() == [2, 4, -1, -1]
    assert matched.category.tolist() == [1, 1, 0, 3, 2]
    assert catalogue.counts.tolist() == [5, 40, 9, 7]
    assert catalogue.numbers.tolist() == [0, 0, 1, 2]
    np.testing.assert_allclose(catalogue.rows[1], _unit(np.array([[10.0, 30.0, 0.0]]))[0], rtol=1e-6)


def test_rows_of_one_category_join_whichever_clients_they_are_from():
    # The first two could be one client's split category, the third another client's whole one.
    rows, _ = _bundles([3, 2], spread=0.1)
    matched = _match(rows, [-1] * 5, [5, 6, 7, 8, 9])
    assert _partition(matched.category) == {frozenset({0, 1, 2}), frozenset({3, 4})}
    assert matched.catalogue.counts.tolist() == [18, 17]


def test_similarity_is_seen_from_the_centre():
    rows = _unit(np.array([[10, 1, 0], [10, 0, 1]], float))
    assert len(_match(rows, [-1, -1], [5, 5]).catalogue) == 1
    centre = rows.mean(axis=0).astype(np.float32)
    assert len(_match(rows, [-1, -1], [5, 5], centre=centre).catalogue) == 2


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_the_order_of_rows_does_not_show(seed, data):
    rng = np.random.default_rng(seed)
    rows, _ = _bundles([3, 4, 2], spread=0.5, seed=seed)
    names = rng.integers(-1, 2, 9)
    counts = rng.integers(5, 8, 9)  # ties in size on purpose
    order = np.array(data.draw(st.permutations(range(9))))
    plain, shuffled = _match(rows, names, counts), _match(rows[order], names[order], counts[order])
    np.testing.assert_array_equal(shuffled.category, plain.category[order])
    for name, array in plain.catalogue.arrays().items():
        np.testing.assert_array_equal(shuffled.catalogue.arrays()[name], array)


def test_no_rows_no_categories():
    matched = _match(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, int))
    assert len(matched.catalogue) == 0
    assert matched.catalogue.rows.shape == (0, 4)


def test_rows_at_the_centre_do_not_break_the_matching():
    matched = _match(np.array([[0.0, 0], [1, 0]]), [-1, -1], [5, 5])
    assert np.isfinite(matched.catalogue.rows).all()
    assert len(matched.catalogue) == 2


def _catalogue(rows, numbers, names=None):
    numbers = np.asarray(numbers)
    names = np.where(numbers > 0, -1, 0) if names is None else np.asarray(names)
    return Catalogue(rows.astype(np.float32), names, numbers, np.full(len(rows), 9))


def _keep(new, old, next_number, threshold, shift=0.0):
    """Both seen from the origin; ``shift`` moves the old features and their centre alike."""
    d = new.rows.shape[1]
    centre = np.zeros(d, dtype=np.float32)
    return keep_numbers(new, old, next_number, threshold, centres=(centre, centre + shift))


def test_a_single_category_keeps_its_number_and_so_does_one_whose_company_changes():
    """Centring on the rows themselves would send a lone row to the origin."""
    rows, _ = _bundles([1] * 4, spread=0.0, d=6)
    kept, _ = _keep(_catalogue(rows[:1], [1]), _catalogue(rows[:1], [7]), 8, 0.6)
    assert kept.numbers.tolist() == [7]
    kept, _ = _keep(_catalogue(rows[[2, 3]], [1, 2]), _catalogue(rows[[0, 1, 2]], [1, 7, 6]), 8, 0.6)
    assert kept.numbers.tolist() == [6, 8]


def test_numbers_follow_their_categories():
    rows, _ = _bundles([1] * 5, spread=0.05)
    moved = _unit(rows + 0.1 * np.random.default_rng(1).normal(size=rows.shape))
    order = np.array([3, 0, 4, 2, 1])
    old = _catalogue(rows, [0, 4, 7, 2, 1])
    new = _catalogue(moved[order], [1, 0, 2, 3, 4])
    kept, next_number = _keep(new, old, 8, 0.6)
    assert kept.numbers.tolist() == [2, 0, 1, 7, 4]
    assert next_number == 8
    np.testing.assert_array_equal(kept.rows, new.rows)


def test_new_categories_get_fresh_numbers_and_old_ones_never_come_back():
    rows, _ = _bundles([1] * 6, spread=0.0, d=6)
    first = _catalogue(rows[:4], [1, 2, 3, 4])
    second, next_number = _keep(_catalogue(rows[[0, 1, 4]], [1, 2, 3]), first, 5, 0.6)
    assert second.numbers.tolist() == [1, 2, 5]
    third, next_number = _keep(_catalogue(rows[[5, 2, 0, 1]], [1, 2, 3, 4]), second, next_number, 0.6)
    assert third.numbers.tolist() == [6, 7, 1, 2]
    assert next_number == 8


def test_seen_categories_have_no_number_and_lend_none():
    rows, _ = _bundles([1] * 3, spread=0.0)
    old = _catalogue(rows, [0, 1, 2])
    new = _catalogue(rows, [1, 2, 0])
    kept, next_number = _keep(new, old, 3, 0.6)
    assert kept.numbers.tolist() == [3, 1, 0]
    assert next_number == 4


def test_centred_rows_are_unit_and_a_row_at_the_centre_is_zero():
    found = centred_rows(np.array([[2, 1], [1, 1]], np.float32), np.array([1, 1], np.float32))
    assert found.tolist() == [[1, 0], [0, 0]]


def test_a_name_that_the_other_sites_rows_contradict_is_not_taken():
    rng = np.random.default_rng(0)
    classes = np.eye(8, dtype=np.float32)[:3]
    rows, names, site = [], [], []
    for number in range(4):
        for name in range(3):
            shown = (name + 1) % 3 if number == 3 else name  # the last site names each row after another class
            rows.append(classes[shown] + 0.05 * rng.normal(size=8))
            names.append(name)
            site.append(number)
    rows = np.array(rows, np.float32)
    agreed = agreed_names(rows, np.array(names), np.array(site), rows.mean(axis=0))
    assert agreed.tolist() == [0, 1, 2] * 3 + [-1, -1, -1]
    rows, named, sender = rows[6:], np.array(names)[6:], np.array(site)[6:]  # of two, nobody can tell which is wrong
    assert agreed_names(rows, named, sender, rows.mean(axis=0)).tolist() == [0, 1, 2] * 2
