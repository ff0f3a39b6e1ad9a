"""Concepts: communities with enough members, their prototypes and the seen classes they are named after."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.discovery.similarity import centred


def row_cosines(z_ND: Tensor, rows_KD: Tensor, centre_D: Tensor) -> Tensor:
    """Centred cosines ``[n, K]`` of features with rows."""
    return centred(z_ND, centre_D) @ centred(rows_KD, centre_D).T


def nearest_row(z_ND: Tensor, rows_KD: Tensor, centre_D: Tensor) -> NDArray[np.int64]:
    """The nearest row of every feature by centred cosine, [n]."""
    found: NDArray[np.int64] = row_cosines(z_ND, rows_KD, centre_D).argmax(dim=1).cpu().numpy()
    return found


@dataclass(frozen=True)
class Concepts:
    """The private result of a discovery over n samples; m concepts."""

    assigned: NDArray[np.int64]
    """[n], concept of every sample."""
    prototypes: Tensor
    """[m, d], unit mean features."""
    counts: NDArray[np.int64]
    """[m], members."""
    names: NDArray[np.int64]
    """[m], index of the seen class a concept is named after, -1 where it is novel."""

    def __len__(self) -> int:
        return len(self.counts)

    def confidence(self, z_ND: Tensor, centre_D: Tensor) -> NDArray[np.float32]:
        """How sure every sample's concept is among all of them, [n]: softmax of centred cosines over 0.1."""
        posterior_NM: NDArray[np.float32] = (row_cosines(z_ND, self.prototypes, centre_D) / 0.1).softmax(dim=1).numpy()
        return posterior_NM[np.arange(len(z_ND)), self.assigned]


def form_concepts(
    z_ND: Tensor,
    community: NDArray[np.int64],
    labels: NDArray[np.int64],
    centre_D: Tensor,
    *,
    min_support: int,
    name_share: float,
) -> Concepts:
    """Concepts from communities: small ones join the nearest prototype, labelled ones take a seen class's name.

    A concept takes the name of its most frequent label if at least max(2, ``name_share`` of its members) carry
    it. If no community reaches ``min_support``, the largest ones stand.
    """
    size = np.bincount(community)
    large = np.flatnonzero(size >= min(min_support, int(size.max())))
    rows = _means(z_ND, np.searchsorted(large, community), np.isin(community, large), len(large))
    nearest = nearest_row(z_ND, rows, centre_D)
    assigned = np.where(np.isin(community, large), np.searchsorted(large, community), nearest)
    prototypes = _means(z_ND, assigned, np.ones(len(assigned), dtype=bool), len(large))
    counts = np.bincount(assigned, minlength=len(large))
    return Concepts(assigned, prototypes, counts, _names(assigned, labels, counts, name_share))


def _means(z_ND: Tensor, group: NDArray[np.int64], member: NDArray[np.bool_], groups: int) -> Tensor:
    """Unit mean feature of every group ``[groups, d]`` over the samples where ``member``."""
    rows = torch.as_tensor(np.flatnonzero(member), device=z_ND.device)
    index = torch.as_tensor(group[member], device=z_ND.device)
    total = torch.zeros(groups, z_ND.shape[1], device=z_ND.device).index_add_(0, index, z_ND[rows])
    return torch.nn.functional.normalize(total, dim=1)


def _names(
    assigned: NDArray[np.int64], labels: NDArray[np.int64], counts: NDArray[np.int64], share: float
) -> NDArray[np.int64]:
    names = np.full(len(counts), -1, dtype=np.int64)
    known = labels >= 0
    if known.any():
        table = np.zeros((len(counts), int(labels.max()) + 1), dtype=np.int64)
        np.add.at(table, (assigned[known], labels[known]), 1)
        enough = table.max(axis=1) >= np.maximum(2, share * counts)
        names[enough] = table.argmax(axis=1)[enough]
    return names
