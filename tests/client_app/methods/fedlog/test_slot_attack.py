"""What slots tell about the nodes behind them."""

import numpy as np
import pytest

from client_app.graphs.neighbourhoods import make_tensors
from client_app.methods.fedlog.condensation import condense
from client_app.methods.fedlog.slot_attack import slot_privacy


def _measured(group, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 30)).astype(np.float32)
    graph = make_tensors(x, np.zeros((2, 0), dtype=np.int64))
    labels = np.arange(400) % 2
    members = np.arange(400) < 200
    slots = condense(graph, labels, members, rng, group_size=group, min_group=1, most=1000, noise=noise)
    return slot_privacy(slots, graph, labels, members, ~members)


def test_a_copy_of_a_node_is_found_out():
    found = _measured(1)
    assert found["membership_auc"] == pytest.approx(1.0)
    assert found["nearest_ratio"] == pytest.approx(0.0)
    assert found["smallest_group"] == 1


def test_larger_groups_tell_less():
    aucs = [_measured(group)["membership_auc"] for group in (1, 5, 50)]
    assert aucs[0] > aucs[1] > aucs[2]
    assert 0.4 < aucs[2] < 0.75
    assert _measured(50)["nearest_ratio"] > 0.8


def test_noise_tells_less():
    assert _measured(2, noise=3.0)["membership_auc"] < _measured(2)["membership_auc"] - 0.1


def test_without_others_there_is_nothing_to_tell_apart():
    x = np.ones((4, 2), dtype=np.float32)
    graph = make_tensors(x, np.zeros((2, 0), dtype=np.int64))
    everyone = np.ones(4, dtype=bool)
    slots = condense(graph, np.zeros(4, np.int64), everyone, np.random.default_rng(0), min_group=1)
    assert slot_privacy(slots, graph, np.zeros(4, np.int64), everyone, ~everyone)["membership_auc"] is None
