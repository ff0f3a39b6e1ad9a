"""Positives for the contrastive loss: mutual neighbours in the input (docs/method.md#neighbours-as-positives)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.discovery.similarity import centred, nearest_neighbours


@dataclass(frozen=True)
class NeighbourLists:
    """Ragged lists: the neighbours of sample i are ``ids[starts[i]:starts[i + 1]]``, at least one each."""

    starts: NDArray[np.int64]
    ids: NDArray[np.int64]

    def draw(self, samples: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A random neighbour of each of ``samples``."""
        length = self.starts[samples + 1] - self.starts[samples]
        return self.ids[self.starts[samples] + (rng.random(len(samples)) * length).astype(np.int64)]


def mutual_neighbours(x_ND: Tensor, labels: NDArray[np.int64], k: int) -> NeighbourLists:
    """Mutual k-nearest neighbours by cosine, centred on the site's mean; a sample with none has itself.

    Pairs whose labels differ are dropped.

    Args:
        x_ND: inputs or frozen-backbone features, flattened to ``[n, d]``.
        labels: int64 [n], -1 where unlabelled.
    """
    n = len(x_ND)
    unit = torch.nn.functional.normalize(x_ND, dim=1)
    near, _ = nearest_neighbours(centred(unit, unit.mean(dim=0)), k)
    source = np.repeat(np.arange(n), near.shape[1])
    target = near.numpy().ravel()
    mutual = np.isin(source * n + target, target * n + source)
    differ = (labels[source] >= 0) & (labels[target] >= 0) & (labels[source] != labels[target])
    source, target = source[mutual & ~differ], target[mutual & ~differ]
    lonely = np.setdiff1d(np.arange(n), source)
    source, target = np.concatenate([source, lonely]), np.concatenate([target, lonely])
    order = np.lexsort((target, source))
    starts = np.searchsorted(source[order], np.arange(n + 1))
    return NeighbourLists(starts.astype(np.int64), target[order])
