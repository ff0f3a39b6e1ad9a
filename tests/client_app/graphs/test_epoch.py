"""The loss of a step, what it moves, and what stays as it is."""

import numpy as np
import pytest
import torch

from client_app.graphs.epoch import train_epoch
from client_app.graphs.neighbourhoods import all_logits
from client_app.methods.fedlog.condensation import condense
from client_app.methods.fedlog.slot_training import slot_tensors, training_prior
from common.models.graph_sage import GraphSage


def _epoch(network, small, slots, log_prior, **settings):
    nodes = torch.from_numpy(np.flatnonzero(small.train))
    labels = torch.from_numpy(small.labels)[nodes]
    given = {"learning_rate": 1e-3, "weight_decay": 0.0, "batch_size": 64, **settings}
    return train_epoch(network, small.graph, nodes, labels, slots, log_prior, **given)


def _slow_cross_entropy(logits, label):
    logits = np.asarray(logits, dtype=np.float64)
    return float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label])


@pytest.fixture
def still(small):
    """A network without dropout, so that a step's loss can be computed beside it."""
    torch.manual_seed(1)
    return GraphSage(small.features, small.classes, dropout=0.0)


def test_the_loss_is_real_plus_weighted_slots_on_corrected_logits(small, still):
    slots = condense(small.graph, small.labels, small.train, np.random.default_rng(0), min_group=1)
    log_prior = torch.tensor([0.1, -0.7, 0.3])
    real = np.mean(
        [
            _slow_cross_entropy(all_logits(still, small.graph)[node].numpy() + log_prior.numpy(), small.labels[node])
            for node in np.flatnonzero(small.train)
        ]
    )
    tensors = slot_tensors(slots)
    with torch.no_grad():
        logits = still.slot_logits(tensors.x_MF, tensors.near_MF, tensors.far_MF).numpy() + log_prior.numpy()
    condensed = sum(
        w * _slow_cross_entropy(row, label) for w, row, label in zip(slots.weights(), logits, slots.labels, strict=True)
    )
    losses = _epoch(still, small, tensors, log_prior, slot_weight=0.5)
    assert losses["real"] == pytest.approx(real, abs=1e-5)
    assert losses["slots"] == pytest.approx(condensed, abs=1e-5)
    assert losses["total"] == pytest.approx(real + 0.5 * condensed, abs=1e-5)


@pytest.mark.parametrize("cosine", [False, True])
def test_every_trainable_tensor_is_moved_by_real_nodes_and_by_slots_alone(small, cosine):
    slots = slot_tensors(condense(small.graph, small.labels, small.train, np.random.default_rng(0), min_group=1))
    for only_slots in (False, True):
        torch.manual_seed(0)
        network = GraphSage(small.features, small.classes, 0.0, cosine)
        if only_slots:
            logits = network.slot_logits(slots.x_MF, slots.near_MF, slots.far_MF)
            (slots.weights * torch.nn.functional.cross_entropy(logits, slots.labels, reduction="none")).sum().backward()
            moved = {name: bool(p.grad.any()) for name, p in network.named_parameters()}
        else:
            before = {name: p.detach().clone() for name, p in network.named_parameters()}
            _epoch(network, small, None, torch.zeros(3))
            moved = {name: not torch.equal(p, before[name]) for name, p in network.named_parameters()}
        assert all(moved.values()), moved
        assert len(moved) == (7 if cosine else 8)


def test_fedprox_pulls_towards_the_anchor(small, still):
    anchor = [parameter.detach().clone() for parameter in still.parameters()]
    with torch.no_grad():
        for parameter in still.parameters():
            parameter += 1.0
    plain = _epoch(still, small, None, torch.zeros(3), learning_rate=1e-9)["total"]
    pulled = _epoch(still, small, None, torch.zeros(3), learning_rate=1e-9, anchor=anchor, proximal=0.2)["total"]
    count = sum(parameter.numel() for parameter in still.parameters())
    assert pulled - plain == pytest.approx(0.1 * count, rel=1e-3)


def test_the_prior_is_half_the_sites_and_half_uniform():
    np.testing.assert_allclose(training_prior(np.array([6, 2, 0])), [13 / 24, 7 / 24, 4 / 24])
    np.testing.assert_allclose(training_prior(np.array([0, 0])), [0.25, 0.25])


def test_the_last_smaller_batch_is_left_out_but_there_is_always_one(small, still):
    steps = []
    step = torch.optim.Adam.step

    def count(self, *args, **kwargs):
        steps.append(1)
        return step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", count)
        _epoch(still, small, None, torch.zeros(3), batch_size=4)
        assert len(steps) == 2
        _epoch(still, small, None, torch.zeros(3), batch_size=100)
    assert len(steps) == 3
