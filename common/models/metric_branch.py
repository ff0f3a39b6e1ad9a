"""A prototype branch: queries are moved by messages from synthetic nodes, then judged by their distance to prototypes.

FedLoG's learnable metric (docs/fedlog.md#branches): an equivariant update in embedding space (arXiv 2102.09844).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

MESSAGE = 64
LAYERS = 2
GENTLE = 1e-3
"""Gain of the step's last layer: a branch starts near to no movement, and learns it."""


class Embedded(NamedTuple):
    """n nodes in embedding space: ``own_NE`` and ``near_NE``, the part that comes from their neighbours."""

    own_NE: Tensor
    near_NE: Tensor


class MetricLayer(nn.Module):
    """One equivariant step of n queries against m synthetic nodes, which stay where they are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.from_query = nn.Linear(width, MESSAGE)
        self.from_synthetic = nn.Linear(width, MESSAGE, bias=False)
        self.from_distance = nn.Linear(1, MESSAGE, bias=False)
        self.message = nn.Sequential(nn.SiLU(), nn.Linear(MESSAGE, MESSAGE), nn.SiLU())
        last = nn.Linear(MESSAGE, 1, bias=False)
        nn.init.xavier_uniform_(last.weight, gain=GENTLE)
        self.step = nn.Sequential(nn.Linear(MESSAGE, MESSAGE), nn.SiLU(), last)

    def forward(self, query_NE: Tensor, near_NE: Tensor, synthetic_ME: Tensor, features_ME: Tensor) -> Tensor:
        """Queries [n, E] plus the mean over synthetic nodes of (coordinate difference x scalar of the message).

        A message is an MLP of the query's ``near_NE``, the synthetic node's ``features_ME`` and their squared
        distance, in units of the width, which keeps it near 1. The MLP's first layer is split by its inputs.
        """
        squared_NM = _squared_distances(query_NE, synthetic_ME) / query_NE.shape[1]
        joined_NMH = (
            self.from_query(near_NE)[:, None]
            + self.from_synthetic(features_ME)[None]
            + self.from_distance(squared_NM[..., None])
        )
        weight_NM = self.step(self.message(joined_NMH))[..., 0]
        moved_NE: Tensor = query_NE * weight_NM.mean(dim=1, keepdim=True) - weight_NM @ synthetic_ME / len(synthetic_ME)
        return query_NE + moved_NE


class MetricBranch(nn.Module):
    """Layer norm, metric layers, and log class probabilities by the distance to each class's prototype.

    The norm has no bias: it would move queries and prototypes alike, and never get a gradient.
    """

    def __init__(self, width: int, metric: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, bias=False)
        self.layers = nn.ModuleList(MetricLayer(width) for _ in range(LAYERS if metric else 0))

    def forward(self, query: Embedded, synthetic_CSE: Tensor) -> Tensor:
        """Log probabilities [n, C]: softmax of -|h - proto_c|^2, proto_c the mean of class c's s synthetic nodes."""
        own_ME = synthetic_CSE.flatten(0, 1)
        place_ME, query_NE = self.norm(own_ME), self.norm(query.own_NE)
        for layer in self.layers:
            query_NE = layer(query_NE, query.near_NE, place_ME, own_ME)
        prototypes_CE = place_ME.view_as(synthetic_CSE).mean(dim=1)
        return torch.log_softmax(-_squared_distances(query_NE, prototypes_CE), dim=1)


def _squared_distances(a_NE: Tensor, b_ME: Tensor) -> Tensor:
    """[n, m]"""
    return ((a_NE**2).sum(1)[:, None] + (b_ME**2).sum(1)[None] - 2 * a_NE @ b_ME.T).clamp(min=0)
