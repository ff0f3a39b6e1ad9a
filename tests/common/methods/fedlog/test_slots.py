"""Slots on the wire."""

import numpy as np

from common.methods.fedlog.slots import GROUPS, SLOTS, Slots, join_slots, slots_from


def _slots(m=5, features=4, seed=0):
    rng = np.random.default_rng(seed)
    x, near, far = (rng.random((m, features)).astype(np.float32) * (rng.random((m, features)) < 0.5) for _ in range(3))
    return Slots(x, near, far, rng.integers(0, 3, m), rng.integers(3, 11, m))


def test_records_hold_the_slots_exactly():
    slots = _slots()
    again = slots_from(slots.records(), 4)
    for name in ("x", "near", "far", "labels", "counts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(slots, name))


def test_only_entries_that_are_not_zero_travel():
    slots = _slots()
    filled = sum(int((part != 0).sum()) for part in (slots.x, slots.near, slots.far))
    assert len(slots.records()[SLOTS]["values"]) == filled


def test_every_class_weighs_the_same_and_in_it_every_node():
    slots = Slots(*(np.zeros((4, 2), np.float32),) * 3, np.array([0, 0, 2, 2]), np.array([10, 30, 5, 5]))
    np.testing.assert_allclose(slots.weights(), [0.125, 0.375, 0.25, 0.25])
    assert len(Slots(*(np.zeros((0, 2), np.float32),) * 3, np.zeros(0, int), np.zeros(0, int)).weights()) == 0


def test_entries_that_point_outside_are_left_out():
    records = _slots().records()
    records[SLOTS] = {
        "rows": np.array([0, 7, 1], np.int16),
        "columns": np.array([1, 0, 12], np.int32),
        "values": np.array([5, 6, 7], np.float32),
    }
    slots = slots_from(records, 4)
    assert slots.x[0, 1] == 5
    assert slots.x.sum() + slots.near.sum() + slots.far.sum() == 5
    assert len(slots) == len(records[GROUPS]["labels"])


def test_a_union_keeps_the_order():
    first, second = _slots(2), _slots(3, seed=1)
    union = join_slots([first, second])
    np.testing.assert_array_equal(union.near, np.concatenate([first.near, second.near]))
    np.testing.assert_array_equal(union.labels, np.concatenate([first.labels, second.labels]))
