"""The prompt generator: a node's features -> those of one neighbour that stands for all (docs/fedlog.md#prompts)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (256, 512)
DROPOUT = 0.5


class NeighbourGenerator(nn.Module):
    """F -> 256 -> 512 -> F, ReLU and dropout between, tanh at the end."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Linear(features, WIDTHS[0])
        self.second = nn.Linear(WIDTHS[0], WIDTHS[1])
        self.third = nn.Linear(WIDTHS[1], features)

    def forward(self, x_NF: Tensor) -> Tensor:
        """A neighbour's features [n, F] for every node."""
        h = F.dropout(torch.relu(self.first(x_NF)), DROPOUT, self.training)
        h = F.dropout(torch.relu(self.second(h)), DROPOUT, self.training)
        return torch.tanh(self.third(h))


def generate(generators: Mapping[str, Tensor], x_CSF: Tensor) -> Tensor:
    """Neighbours [C, s, F] of every class's synthetic nodes, by its own generator, without dropout.

    Args:
        generators: a ``NeighbourGenerator``'s tensors by name, each with a leading dimension C.
    """
    h = x_CSF
    for name, act in (("first", torch.relu), ("second", torch.relu), ("third", torch.tanh)):
        bias = generators[f"{name}.bias"].to(h.dtype)[:, None]
        h = act(torch.baddbmm(bias, h, generators[f"{name}.weight"].to(h.dtype).transpose(1, 2)))
    return h
