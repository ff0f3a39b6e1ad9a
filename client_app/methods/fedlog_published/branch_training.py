"""One local epoch of the published form: three loss terms (docs/fedlog.md#a-published-round)."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from client_app.graphs.neighbourhoods import GraphTensors, all_hidden, batch_hidden
from client_app.methods.fedlog_published.site_model import SiteModel
from common.models.neighbour_generator import generate
from common.models.prototype_sage import head_share, scaled

HARD = 0.8
"""Accuracy above which a class is made harder."""
STEP = 0.001

Generators = Mapping[str, Tensor]


def train_epoch(
    model: SiteModel,
    graph: GraphTensors,
    nodes: Tensor,
    labels: Tensor,
    federation_CSF: Tensor | None,
    generators: Generators | None,
    *,
    learning_rate: float,
    synthetic_learning_rate: float,
    weight_decay: float,
    batch_size: int,
    norm_weight: float,
    synthetic_weight: float,
) -> dict[str, float]:
    """One pass over ``nodes`` int64 [t] with classes ``labels`` in random batches; a last, smaller one is left out.

    Two fresh Adams: one for the network, one for the synthetic nodes.

    Args:
        federation_CSF: the federation's synthetic nodes, not scaled yet; None before there are any.
        generators: each class's neighbour generator; None: synthetic nodes have no neighbour.

    Returns:
        mean of each loss term over the steps.
    """
    model.train()
    optimisers = [
        torch.optim.Adam(model.network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True),
        torch.optim.Adam(model.synthetic.parameters(), lr=synthetic_learning_rate, fused=True),
    ]
    order = torch.randperm(len(nodes), device="cpu").to(nodes.device)
    steps = max(1, len(nodes) // batch_size)
    sums = {"total": 0.0, "real": 0.0, "slots": 0.0}
    for step in range(steps):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        terms = loss_terms(model, graph, nodes[chosen], labels[chosen], federation_CSF, generators)
        loss = terms["real"] + norm_weight * terms["norm"]
        if "slots" in terms:
            loss = loss + synthetic_weight * terms["slots"]
            sums["slots"] += float(terms["slots"].detach())
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        sums["real"] += float(terms["real"].detach())
        sums["total"] += float(loss.detach())
    return {name: value / steps for name, value in sums.items()}


def loss_terms(
    model: SiteModel,
    graph: GraphTensors,
    nodes: Tensor,
    labels: Tensor,
    federation_CSF: Tensor | None,
    generators: Generators | None,
) -> dict[str, Tensor]:
    """``real``: NLL of the mixed probabilities; ``norm``: mean norm of the synthetic nodes, over branches;
    ``slots``: NLL on the federation's nodes, where there are any.
    """
    synthetic = model.embedded(generators)
    query = model.network.embed(*batch_hidden(model.network.embedder, graph, nodes))
    log_probs_BC = model.network.log_probs(query, synthetic, head_share(graph.degrees[nodes]))
    norms = [x_CSF.norm(dim=2).mean() for x_CSF in model.synthetic.values()]
    terms = {"real": F.nll_loss(log_probs_BC, labels), "norm": torch.stack(norms).mean()}
    if federation_CSF is not None:
        known = class_index(federation_CSF)
        terms["slots"] = F.nll_loss(federation_log_probs(model, synthetic, federation_CSF, generators), known)
    return terms


def federation_log_probs(
    model: SiteModel, synthetic: Mapping[str, Tensor], federation_CSF: Tensor, generators: Generators | None
) -> Tensor:
    """Log probabilities [C * s, C] of the federation's nodes, scaled; both branches count one half."""
    x_CSF = scaled(federation_CSF, model.gamma)
    neighbours = None if generators is None else generate(generators, x_CSF).flatten(0, 1)
    query = model.network.embed_bare(x_CSF.flatten(0, 1), neighbours)
    half = torch.full((len(query.own_NE),), 0.5, device=x_CSF.device)
    return model.network.log_probs(query, synthetic, half)


@torch.no_grad()
def update_scaling(model: SiteModel, federation_CSF: Tensor, generators: Generators | None) -> None:
    """gamma_c rises by 0.001 where the federation's nodes of class c are told right, and falls elsewhere; in [0, 1]."""
    model.eval()
    classes = len(federation_CSF)
    chosen = federation_log_probs(model, model.embedded(generators), federation_CSF, generators).argmax(dim=1)
    accuracy_C = (chosen == class_index(federation_CSF)).float().view(classes, -1).mean(dim=1)
    model.gamma.add_(torch.where(accuracy_C > HARD, STEP, -STEP)).clamp_(0, 1)


@torch.no_grad()
def all_log_probs(model: SiteModel, graph: GraphTensors, generators: Generators | None, block: int = 1024) -> Tensor:
    """Log probabilities [n, C] of every node of a graph, without dropout."""
    model.eval()
    synthetic, share_N = model.embedded(generators), head_share(graph.degrees)
    near_NH, h_NH = all_hidden(model.network.embedder, graph)
    parts = zip(torch.split(near_NH, block), torch.split(h_NH, block), torch.split(share_N, block), strict=True)
    return torch.cat([model.network.log_probs(model.network.embed(near, h), synthetic, a) for near, h, a in parts])


def class_index(x_CSF: Tensor) -> Tensor:
    """int64 [C * s], the class of every synthetic node."""
    return torch.arange(x_CSF.shape[0], device=x_CSF.device).repeat_interleave(x_CSF.shape[1])
