"""FedLoG's published model: a GraphSAGE embedder, and branches for heads and tails (docs/fedlog.md#branches)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from common.models.graph_sage import EMBEDDING, SageEmbedder
from common.models.metric_branch import Embedded, MetricBranch

HEAD, TAIL = "head", "tail"
THRESHOLD = 3
"""A node with more neighbours than this counts as a head."""


class PrototypeSage(nn.Module):
    """What travels: the embedder and the branches. The synthetic nodes are given, not part of it."""

    def __init__(self, features: int, dropout: float = 0.5, tail: bool = True, metric: bool = True) -> None:
        super().__init__()
        self.embedder = SageEmbedder(features, dropout)
        names = (HEAD, TAIL) if tail else (HEAD,)
        self.branches = nn.ModuleDict({name: MetricBranch(EMBEDDING, metric) for name in names})

    def embed(self, near_NH: Tensor, h_NH: Tensor) -> Embedded:
        """Second layer: from hidden features and their mean over neighbours."""
        near_NE = self.embedder.near_second(near_NH)
        return Embedded(near_NE + self.embedder.self_second(h_NH), near_NE)

    def embed_bare(self, x_MF: Tensor, neighbour_MF: Tensor | None = None) -> Embedded:
        """Synthetic nodes, which have no edges, or one generated neighbour whose only neighbour they are.

        Without a neighbour, their own embedding takes the place of the neighbours' part.
        """
        if neighbour_MF is None:
            h_MH = self.embedder.first(torch.zeros_like(x_MF), x_MF)
            own_ME = self.embed(torch.zeros_like(h_MH), h_MH).own_NE
            return Embedded(own_ME, own_ME)
        h_MH = self.embedder.first(neighbour_MF, x_MF)
        return self.embed(self.embedder.first(x_MF, neighbour_MF), h_MH)

    def log_probs(self, query: Embedded, synthetic: Mapping[str, Tensor], head_share_N: Tensor) -> Tensor:
        """Log of the branches' mixed class probabilities [n, C].

        Args:
            synthetic: by branch, embeddings [C, s, E] of its synthetic nodes.
            head_share_N: a(v) in [0, 1], how much the head branch counts; without a tail branch, it alone does.
        """
        head_NC: Tensor = self.branches[HEAD](query, synthetic[HEAD])
        if TAIL not in self.branches:
            return head_NC
        tail_NC: Tensor = self.branches[TAIL](query, synthetic[TAIL])
        share_N1 = head_share_N.clamp(1e-6, 1 - 1e-6)[:, None]
        return torch.logaddexp(share_N1.log() + head_NC, torch.log1p(-share_N1) + tail_NC)


def head_share(degrees_N: Tensor) -> Tensor:
    """a(v) = sigmoid(deg(v) - (3 + 1)): a node of degree 4 is half a head."""
    return torch.sigmoid(degrees_N - (THRESHOLD + 1))


def scaled(x_CSF: Tensor, gamma_C: Tensor) -> Tensor:
    """Feature scaling (docs/fedlog.md#scaling): x + gamma_c (mean(x) - x), the mean over all synthetic nodes."""
    mean_F = x_CSF.mean(dim=(0, 1))
    return x_CSF + gamma_C[:, None, None] * (mean_F - x_CSF)
