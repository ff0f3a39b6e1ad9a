"""Condensed slots against their definition."""

import numpy as np

from client_app.graphs.neighbourhoods import make_tensors
from client_app.methods.fedlog.condensation import condense


def _slots(small, seed=0, **settings):
    return condense(small.graph, small.labels, small.train, np.random.default_rng(seed), **settings)


def test_one_group_a_class_is_the_mean_of_features_and_neighbourhoods(small):
    slots = _slots(small, min_group=1)
    near = small.slow_mean(small.x)
    far = small.slow_mean(near)
    assert slots.labels.tolist() == [0, 1, 2]
    assert slots.counts.tolist() == [5, 3, 1]
    for i, c in enumerate(slots.labels):
        members = [node for node in range(12) if small.train[node] and small.labels[node] == c]
        for found, rows in ((slots.x, small.x), (slots.near, near), (slots.far, far)):
            expected = [sum(float(rows[node][j]) for node in members) / len(members) for j in range(5)]
            np.testing.assert_allclose(found[i], expected, atol=1e-6)


def test_groups_are_disjoint_cover_the_class_and_are_large_enough(small):
    slots = _slots(small, group_size=2, min_group=2)
    assert slots.labels.tolist() == [0, 0, 1]
    assert sorted(slots.counts[slots.labels == 0].tolist()) == [2, 3]
    whole = _slots(small, min_group=1)
    mean = (slots.x[:2] * slots.counts[:2, None]).sum(axis=0) / 5
    np.testing.assert_allclose(mean, whole.x[0], atol=1e-6)


def test_a_class_with_too_few_nodes_stays_at_home(small):
    assert _slots(small, min_group=4).labels.tolist() == [0]
    assert len(_slots(small, min_group=6)) == 0


def test_the_smallest_group_wins_over_the_wanted_one(small):
    assert _slots(small, group_size=1, min_group=3).counts.min() >= 3


def test_at_most_so_many_slots_a_class(small):
    assert len(_slots(small, group_size=1, min_group=1, most=2)) == 5


def test_no_node_outside_training_is_used(small):
    before = _slots(small)
    small.labels[~small.train] = 2
    after = _slots(small)
    np.testing.assert_array_equal(before.x, after.x)


def test_clipping_bounds_a_slot_and_noise_moves_every_entry(small):
    clipped = _slots(small, clip=0.5, min_group=1)
    assert np.linalg.norm(np.concatenate([clipped.x, clipped.near, clipped.far], axis=1), axis=1).max() <= 0.5 + 1e-6
    noisy, bare = _slots(small, noise=0.1), _slots(small)
    moved = np.concatenate([noisy.x - bare.x, noisy.near - bare.near, noisy.far - bare.far])
    assert (moved != 0).all()
    assert 0.05 < moved.std() < 0.2


def test_clipping_and_noise_are_measured_in_the_units_given(small):
    """Condensing scaled features in their own units is scaling the slots."""
    spread = np.array([1e-3, 1.0, 50.0, 2.0, 7.0], dtype=np.float32)
    units = (np.zeros(5, dtype=np.float32), spread)
    scaled = make_tensors(small.x * spread, small.edges)
    settings = {"min_group": 1, "clip": 1.5, "noise": 0.1}
    plain = condense(small.graph, small.labels, small.train, np.random.default_rng(0), **settings)
    found = condense(scaled, small.labels, small.train, np.random.default_rng(0), **settings, units=units)
    for part in ("x", "near", "far"):
        np.testing.assert_allclose(getattr(found, part), getattr(plain, part) * spread, rtol=1e-3, atol=1e-4)
    centre = np.full(5, 3.0, dtype=np.float32)
    shut = condense(small.graph, small.labels, small.train, np.random.default_rng(0), clip=1e-6, units=(centre, spread))
    np.testing.assert_allclose(shut.x, np.broadcast_to(centre, shut.x.shape), atol=1e-3)
