"""Condensing a site's labelled training nodes into slots: means of random groups, with their neighbourhoods.

A group's mean is an average over people or accounts, not a private quantity: the smallest group, noise and clipping
are what limits it (docs/privacy.md).
"""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.graphs.neighbourhoods import GraphTensors
from common.methods.fedlog.slots import Slots

F = TypeVar("F", bound=np.floating)


def condense(
    graph: GraphTensors,
    labels: NDArray[np.int64],
    train: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    group_size: int = 10,
    min_group: int = 3,
    most: int = 20,
    clip: float | None = None,
    noise: float = 0.0,
    units: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> Slots:
    """Slots of all classes with at least ``min_group`` training nodes.

    Args:
        labels: int64 [n].
        train: bool [n], the nodes that may be used; all are labelled.
        group_size: nodes in a group, where the class has that many; never fewer than ``min_group``.
        most: groups of one class at most.
        clip: L2 norm that a node's (x, near, far) is clipped to before the mean; None: not clipped.
        noise: standard deviation of Gaussian noise on every entry of a slot.
        units: mean and spread [F] of the features, which ``clip`` and ``noise`` are measured in; None: as they are.
    """
    wanted = max(group_size, min_group)
    far_NF = graph.mean_over_neighbours(graph.near_NF)
    wide = torch.cat([graph.x_NF, graph.near_NF, far_NF], dim=1).cpu().numpy()
    centre, spread = (np.tile(part, 3) for part in units) if units is not None else (0.0, 1.0)
    wide = (wide - centre) / spread
    wide = wide if clip is None else clip_rows(wide, clip)
    means, owners, counts = [], [], []
    for c in np.unique(labels[train]):
        members = np.flatnonzero(train & (labels == c))
        if len(members) < min_group:
            continue
        number = max(1, min(most, len(members) // wanted))
        for group in np.array_split(rng.permutation(members), number):
            means.append(wide[group].mean(axis=0, dtype=np.float64))
            owners.append(c)
            counts.append(len(group))
    table = np.array(means, dtype=np.float64).reshape(len(means), wide.shape[1])
    if noise:
        table = table + rng.normal(0.0, noise, table.shape)
    x, near, far = np.split((table * spread + centre).astype(np.float32), 3, axis=1)
    return Slots(x, near, far, np.array(owners, dtype=np.int64), np.array(counts, dtype=np.int64))


def clip_rows(rows: NDArray[F], norm: float) -> NDArray[F]:
    """``rows`` [..., D], each scaled down to the L2 norm ``norm`` where it is longer."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    clipped: NDArray[F] = rows * np.minimum(1.0, norm / np.maximum(length, 1e-12))
    return clipped
