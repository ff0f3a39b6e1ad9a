"""Evidence of neighbours: samples of one place that lie close together are most often of one category."""

import numpy as np
import torch
from torch import Tensor

from common.discovery.similarity import similarity_graph

NEIGHBOURS = 10
STEPS = 3
SHARE = 0.5


def pool_neighbours(logits_NK: Tensor, unit_ND: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """Log-likelihoods ``[n, K]``, each mixed with the mean of its neighbours' again and again.

    Label propagation on logits (Zhou et al., 2003): L <- (1 - SHARE) L_0 + SHARE A L, A the mean over the union of
    the k-nearest-neighbour relations. A sample without neighbours keeps its own.

    >>> logits = torch.tensor([[4.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    >>> unit = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [1.0, 0.2]]), dim=1)
    >>> pool_neighbours(logits, unit, k=2).argmax(dim=1).tolist()
    [0, 0, 0]
    """
    edges = similarity_graph(unit_ND, k)
    ends = torch.from_numpy(np.concatenate([edges.source, edges.target])).to(logits_NK.device)
    others = torch.from_numpy(np.concatenate([edges.target, edges.source])).to(logits_NK.device)
    degree_N1 = torch.bincount(ends, minlength=len(logits_NK)).unsqueeze(1)
    pooled = logits_NK
    for _ in range(STEPS):
        total = torch.zeros_like(pooled).index_add_(0, ends, pooled[others])
        mean = torch.where(degree_N1 > 0, total / degree_N1.clamp(min=1), logits_NK)
        pooled = (1 - SHARE) * logits_NK + SHARE * mean
    return pooled
