"""Joining synthetic nodes and generators by class rates, against loops."""

import numpy as np
import pytest

from server_app.methods.fedlog_published.condensed import class_rates, join_generators, join_synthetic

COUNTS = {
    "a": np.array([3, 0, 0]),
    "b": np.array([1, 4, 0]),
}
"""Class 0 at both, class 1 at b only, class 2 at nobody."""


def test_rates_are_shares_of_each_class_and_uniform_where_nobody_has_any():
    rates = class_rates(COUNTS)
    assert rates["a"].tolist() == [0.75, 0.0, 0.5]
    assert rates["b"].tolist() == [0.25, 1.0, 0.5]


def test_joined_slots_are_weighted_means_of_one_slot_of_every_site():
    rng = np.random.default_rng(0)
    nodes = {site: rng.normal(size=(3, 4, 5)).astype(np.float32) for site in COUNTS}
    joined = join_synthetic(nodes, COUNTS, 7, 3)
    share = {"a": (0.75, 0.0, 0.5), "b": (0.25, 1.0, 0.5)}
    for c in range(3):
        used = []
        for row in joined[c]:
            pairs = [
                (i, j)
                for i in range(4)
                for j in range(4)
                if np.allclose(share["a"][c] * nodes["a"][c, i] + share["b"][c] * nodes["b"][c, j], row, atol=1e-5)
            ]
            assert pairs
            used.append(pairs[0])
        assert sorted(j for _, j in used) == [0, 1, 2, 3]  # every slot of b once
    again, later = join_synthetic(nodes, COUNTS, 7, 3), join_synthetic(nodes, COUNTS, 7, 4)
    np.testing.assert_array_equal(again, joined)
    assert not np.allclose(later, joined)


def test_a_site_that_did_not_answer_has_no_share():
    nodes = {"b": np.ones((3, 2, 2), dtype=np.float32)}
    assert join_synthetic(nodes, COUNTS, 0, 1) == pytest.approx(np.ones((3, 2, 2)))


def test_every_class_gets_the_mean_of_generators_by_its_rates():
    rng = np.random.default_rng(1)
    generators = {site: {"first.weight": rng.normal(size=(2, 3)).astype(np.float16)} for site in COUNTS}
    joined = join_generators(generators, COUNTS)["first.weight"]
    assert joined.shape == (3, 2, 3)
    assert joined.dtype == np.float16
    for c, (a, b) in enumerate(((0.75, 0.25), (0.0, 1.0), (0.5, 0.5))):
        for i in range(2):
            for j in range(3):
                slow = sum(
                    share * float(generators[site]["first.weight"][i, j]) for site, share in (("a", a), ("b", b))
                )
                assert float(joined[c, i, j]) == pytest.approx(slow, abs=2e-3)
