"""The similarity graph of samples: who is near whom by cosine. Shared by discovery, warm-up and FedLoG's tables."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Edges:
    """Undirected weighted edges, each pair once: ``source`` < ``target``, int64 [m]; ``weight`` float64 [m].

    ``times`` int64 [m] is 2 where both ends name each other as a neighbour, else 1.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.float64]
    times: NDArray[np.int64]
    nodes: int

    def where(self, keep: NDArray[np.bool_], weight: NDArray[np.float64]) -> "Edges":
        """The kept edges with new weights (given for all edges)."""
        return Edges(self.source[keep], self.target[keep], weight[keep], self.times[keep], self.nodes)


def centred(z_ND: Tensor, centre_D: Tensor) -> Tensor:
    """Move the origin to ``centre_D`` and renormalise: cosines of a pretrained backbone are almost constant."""
    return torch.nn.functional.normalize(z_ND - centre_D, dim=1)


def nearest_neighbours(z_ND: Tensor, k: int, block: int = 2048) -> tuple[Tensor, Tensor]:
    """The ``k`` nearest others of every sample by dot product.

    Returns:
        ids int64 [n, k'] and similarities float [n, k'], nearest first; k' = min(k, n - 1). Ids are those of
        the neighbours, never ranks.
    """
    n = len(z_ND)
    k = min(k, n - 1)
    if k <= 0:
        return torch.zeros(n, 0, dtype=torch.int64), torch.zeros(n, 0)
    ids, values = [], []
    for start in range(0, n, block):
        similarity = z_ND[start : start + block] @ z_ND.T
        rows = torch.arange(len(similarity), device=z_ND.device)
        similarity[rows, start + rows] = -torch.inf
        value, index = similarity.topk(k, dim=1)
        ids.append(index)
        values.append(value)
    return torch.cat(ids).cpu(), torch.cat(values).cpu()


def similarity_graph(z_ND: Tensor, k: int) -> Edges:
    """Undirected union of the k-nearest-neighbour relations of unit rows.

    The weight is max(cosine, 0), once for each end that names the other; edges of weight 0 are left out.
    """
    n = len(z_ND)
    ids, values = nearest_neighbours(z_ND, k)
    near = ids.numpy().ravel()
    near_of = np.repeat(np.arange(n), ids.shape[1])
    weight = np.maximum(values.numpy().ravel().astype(np.float64), 0.0)
    low, high = np.minimum(near_of, near), np.maximum(near_of, near)
    pairs, inverse = np.unique(low * n + high, return_inverse=True)
    total = np.bincount(inverse, weights=weight, minlength=len(pairs)).astype(np.float64)
    times = np.bincount(inverse, minlength=len(pairs)).astype(np.int64)
    return Edges(pairs // n, pairs % n, total, times, n).where(total > 0, total)
