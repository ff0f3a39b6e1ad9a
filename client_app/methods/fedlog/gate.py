"""The gate: which prior a node gets, by how much of its neighbourhood the site trained on (docs/fedlog.md#gate)."""

import torch
from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors

FLOOR = 1e-6
EDGE = 1e-4


def home_prior(counts_C: Tensor) -> Tensor:
    """[C], sum 1: proportional to the square root of the site's training counts; zero for absent classes."""
    root = counts_C.float().sqrt()
    return root / root.sum().clamp(min=1e-12)


def gated_log_prior(graph: GraphTensors, seen: Tensor, counts_C: Tensor, shift: float = 1.0) -> Tensor:
    """log prior [n, C] of every node of the site's whole graph.

    A seen node (bool ``seen`` [n]: it was in the graph that the site trained on) has the home prior. A new one has
    g times the home prior plus (1 - g) times uniform over the classes that the site has none of, where
    g = (seen neighbours + share of classes present) / (degree + 1), moved by ``shift`` in logit.
    """
    present = (counts_C > 0).float()
    absent = 1 - present
    away = absent / absent.sum().clamp(min=1)
    seen_neighbours = graph.mean_over_neighbours(seen.float()[:, None])[:, 0] * graph.degrees
    share = (seen_neighbours + present.mean()) / (graph.degrees + 1)
    gate = torch.sigmoid(torch.logit(share.clamp(EDGE, 1 - EDGE)) + shift)
    gate = torch.where(seen, torch.ones_like(gate), gate)[:, None]
    return torch.log(gate * home_prior(counts_C) + (1 - gate) * away + FLOOR)
