"""One local epoch of a graph network: real batches and all slots, corrected logits (docs/fedlog.md#training)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from client_app.graphs.neighbourhoods import GraphTensors, batch_logits
from common.models.graph_sage import GraphSage


@dataclass(frozen=True)
class SlotTensors:
    """Slots ready for training: features [m, F] three times, ``labels`` [m], ``weights`` [m]."""

    x_MF: Tensor
    near_MF: Tensor
    far_MF: Tensor
    labels: Tensor
    weights: Tensor


def train_epoch(
    network: GraphSage,
    graph: GraphTensors,
    nodes: Tensor,
    labels: Tensor,
    slots: SlotTensors | None,
    log_prior_C: Tensor,
    *,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    slot_weight: float = 1.0,
    anchor: list[Tensor] | None = None,
    proximal: float = 0.0,
) -> dict[str, float]:
    """One pass over ``nodes`` in random batches, with a fresh Adam; a last, smaller batch is left out.

    Args:
        nodes: int64 [t], training nodes; ``labels`` int64 [t], their classes.
        log_prior_C: tau log pi, added to every logit; zeros for the plain loss.
        anchor, proximal: FedProx: proximal / 2 times the squared distance to the anchored parameters.

    Returns:
        mean of each loss term over the steps.
    """
    network.train()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    order = torch.randperm(len(nodes), device="cpu").to(nodes.device)
    steps = max(1, len(nodes) // batch_size)
    sums = {"total": 0.0, "real": 0.0, "slots": 0.0}
    for step in range(steps):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        optimiser.zero_grad(set_to_none=True)
        real = F.cross_entropy(batch_logits(network, graph, nodes[chosen]) + log_prior_C, labels[chosen])
        loss = real
        if slots is not None and slot_weight:
            logits_MC = network.slot_logits(slots.x_MF, slots.near_MF, slots.far_MF) + log_prior_C
            condensed = (slots.weights * F.cross_entropy(logits_MC, slots.labels, reduction="none")).sum()
            loss = loss + slot_weight * condensed
            sums["slots"] += float(condensed.detach())
        if anchor is not None and proximal:
            loss = loss + proximal / 2 * sum(((p - a) ** 2).sum() for p, a in zip(parameters, anchor, strict=True))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        sums["real"] += float(real.detach())
        sums["total"] += float(loss.detach())
    return {name: value / steps for name, value in sums.items()}
