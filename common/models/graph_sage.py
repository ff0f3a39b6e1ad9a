"""The two-layer GraphSAGE of FedLoG (docs/fedlog.md#network), in parts: condensed slots pass it without a graph.

``torch_geometric``'s ``SAGEConv`` computes the same (a test compares them), but importing it takes 3 s, which every
site would pay in every round, and it does not take a neighbourhood's mean that is already there.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN, EMBEDDING = 128, 64
COSINE_SCALE = 10.0


class SageEmbedder(nn.Module):
    """F features -> 128 -> 64; mean aggregation, dropout after the first layer.

    Inputs are standardised with the buffers ``input_mean`` and ``input_scale`` [F]; as built they change nothing.
    """

    input_mean: Tensor
    input_scale: Tensor

    def __init__(self, features: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = dropout
        self.near_first = nn.Linear(features, HIDDEN)
        self.self_first = nn.Linear(features, HIDDEN, bias=False)
        self.near_second = nn.Linear(HIDDEN, EMBEDDING)
        self.self_second = nn.Linear(HIDDEN, EMBEDDING, bias=False)
        self.register_buffer("input_mean", torch.zeros(features))
        self.register_buffer("input_scale", torch.ones(features))

    def first(self, near_NF: Tensor, x_NF: Tensor) -> Tensor:
        """Hidden features [n, 128] of nodes with features ``x_NF`` whose neighbours' mean is ``near_NF``."""
        hidden = torch.relu(self.near_first(self._standard(near_NF)) + self.self_first(self._standard(x_NF)))
        return F.dropout(hidden, self.dropout, self.training)

    def second(self, near_NH: Tensor, h_NH: Tensor) -> Tensor:
        """Embeddings [n, 64] from hidden features and their mean over neighbours."""
        embedding: Tensor = self.near_second(near_NH) + self.self_second(h_NH)
        return embedding

    def _standard(self, x_NF: Tensor) -> Tensor:
        """A row of zeros stands for having no neighbours: it stays zero."""
        if bool((self.input_scale == 1).all()) and not bool(self.input_mean.any()):
            return x_NF
        empty = (x_NF == 0).all(dim=1, keepdim=True)
        return ((x_NF - self.input_mean) * self.input_scale).masked_fill(empty, 0.0)


class GraphSage(SageEmbedder):
    """The embedder with C logits on top."""

    def __init__(self, features: int, classes: int, dropout: float = 0.5, cosine: bool = False) -> None:
        super().__init__(features, dropout)
        self.cosine = cosine
        self.head = nn.Linear(EMBEDDING, classes, bias=not cosine)

    def logits(self, embedding_NE: Tensor) -> Tensor:
        """Class logits [n, C]; with ``cosine``, ten times the cosine to each class's row."""
        if self.cosine:
            unit = F.normalize(embedding_NE, dim=1)
            return COSINE_SCALE * F.linear(unit, F.normalize(self.head.weight, dim=1))
        logits: Tensor = self.head(embedding_NE)
        return logits

    def slot_logits(self, x_MF: Tensor, near_MF: Tensor, far_MF: Tensor) -> Tensor:
        """Logits [m, C] of condensed nodes: means of features, of neighbours, of neighbours' neighbours."""
        return self.logits(self.second(self.first(far_MF, near_MF), self.first(near_MF, x_MF)))


def build_graph_sage(features: int, classes: int, seed: int, dropout: float, cosine: bool) -> GraphSage:
    """A freshly initialised network, by the run's seed; leaves the random state alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphSage(features, classes, dropout, cosine)
