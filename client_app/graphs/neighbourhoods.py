"""A graph as tensors: features, their means over neighbours, and who the neighbours are."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.models.graph_sage import GraphSage, SageEmbedder


@dataclass(frozen=True)
class GraphTensors:
    """n nodes: ``x_NF``; ``near_NF``, the mean of the neighbours' ``x`` (zero without any); neighbours as CSR.

    The neighbours of node i are ``neighbours[starts[i]:starts[i + 1]]``; ``degrees`` float [n].
    """

    x_NF: Tensor
    near_NF: Tensor
    starts: Tensor
    neighbours: Tensor
    degrees: Tensor

    def __len__(self) -> int:
        return len(self.x_NF)

    def mean_over_neighbours(self, h_NH: Tensor, block: int = 65536) -> Tensor:
        """[n, H]: mean of ``h`` over every node's neighbours, zero without any; ``block`` edges at a time."""
        target = torch.repeat_interleave(torch.arange(len(self), device=h_NH.device), self.starts.diff())
        total = torch.zeros_like(h_NH)
        for start in range(0, len(target), block):
            stop = start + block
            total.index_add_(0, target[start:stop], h_NH[self.neighbours[start:stop]])
        return total / self.degrees.clamp(min=1)[:, None]


def make_tensors(x: NDArray[np.float32], edges: NDArray[np.int64], device: torch.device | str = "cpu") -> GraphTensors:
    """From features [n, F] and edges int64 [2, E] (both directions)."""
    n = len(x)
    order = np.lexsort((edges[0], edges[1]))
    source, target = edges[0][order], edges[1][order]
    degrees = np.bincount(target, minlength=n)
    starts = torch.from_numpy(np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)).to(device)
    x_NF = torch.from_numpy(np.ascontiguousarray(x)).to(device)
    bare = GraphTensors(
        x_NF,
        x_NF,
        starts,
        torch.from_numpy(source.copy()).to(device),
        torch.from_numpy(degrees.astype(np.float32)).to(device),
    )
    return GraphTensors(x_NF, bare.mean_over_neighbours(x_NF), bare.starts, bare.neighbours, bare.degrees)


def batch_hidden(network: SageEmbedder, graph: GraphTensors, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """First-layer features [b, 128]: mean over the neighbours of ``nodes``, and of ``nodes`` themselves.

    What a pass over the whole graph gives, by their neighbourhoods only.
    """
    counts = graph.starts[nodes + 1] - graph.starts[nodes]
    owner = torch.repeat_interleave(torch.arange(len(nodes), device=nodes.device), counts)
    offset = torch.arange(len(owner), device=nodes.device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    near = graph.neighbours[graph.starts[nodes][owner] + offset]
    needed, place = torch.unique(torch.cat([nodes, near]), return_inverse=True)
    h = network.first(graph.near_NF[needed], graph.x_NF[needed])
    h_own, h_near = h[place[: len(nodes)]], h[place[len(nodes) :]]
    total = torch.zeros_like(h_own).index_add(0, owner, h_near)
    return total / counts.clamp(min=1)[:, None], h_own


def batch_logits(network: GraphSage, graph: GraphTensors, nodes: Tensor) -> Tensor:
    """Logits [b, C] of ``nodes``, by their neighbourhoods only."""
    return network.logits(network.second(*batch_hidden(network, graph, nodes)))


@torch.no_grad()
def all_hidden(network: SageEmbedder, graph: GraphTensors, block: int = 16384) -> tuple[Tensor, Tensor]:
    """First-layer features [n, 128] of every node, without dropout: mean over its neighbours, and its own."""
    network.eval()
    h = torch.cat(
        [
            network.first(graph.near_NF[start : start + block], graph.x_NF[start : start + block])
            for start in range(0, len(graph), block)
        ]
    )
    return graph.mean_over_neighbours(h), h


@torch.no_grad()
def all_logits(network: GraphSage, graph: GraphTensors, block: int = 16384) -> Tensor:
    """Logits [n, C] of every node, without dropout."""
    return network.logits(network.second(*all_hidden(network, graph, block)))
