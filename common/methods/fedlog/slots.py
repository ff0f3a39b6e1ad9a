"""Condensed slots: the synthetic data of FedLoG (docs/fedlog.md#slots), and their form on the wire.

A slot is the mean of a group of nodes of one class: of their features, of their neighbours' mean features, and of
the mean of those means over neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLOTS = "slots"
"""Record of the non-zero entries: ``rows`` int16, ``columns`` int32 (0 to 3F - 1), ``values`` float32."""
GROUPS = "slot-groups"
"""Record of the groups: ``labels`` int64 [m], ``counts`` int64 [m] (nodes in the group)."""


@dataclass(frozen=True, eq=False)
class Slots:
    """m slots: ``x``, ``near``, ``far`` float32 [m, F]; ``labels``, ``counts`` int64 [m]."""

    x: NDArray[np.float32]
    near: NDArray[np.float32]
    far: NDArray[np.float32]
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def weights(self) -> NDArray[np.float32]:
        """[m], sum 1: every class with slots weighs the same, and in it every node behind a slot."""
        if not len(self):
            return np.zeros(0, dtype=np.float32)
        classes, index = np.unique(self.labels, return_inverse=True)
        total = np.bincount(index, weights=self.counts)
        return (self.counts / total[index] / len(classes)).astype(np.float32)

    def records(self) -> dict[str, dict[str, NDArray[Any]]]:
        """The slots as records of a message."""
        wide = np.concatenate([self.x, self.near, self.far], axis=1)
        rows, columns = np.nonzero(wide)
        return {
            SLOTS: {
                "rows": rows.astype(np.int16),
                "columns": columns.astype(np.int32),
                "values": wide[rows, columns].astype(np.float32),
            },
            GROUPS: {"labels": self.labels, "counts": self.counts},
        }


def slots_from(records: Mapping[str, Mapping[str, NDArray[Any]]], features: int) -> Slots:
    """The slots in a message; entries that point outside are left out."""
    part, groups = records[SLOTS], records[GROUPS]
    m = len(groups["labels"])
    rows, columns = part["rows"].astype(np.int64), part["columns"].astype(np.int64)
    inside = (rows >= 0) & (rows < m) & (columns >= 0) & (columns < 3 * features)
    wide = np.zeros((m, 3 * features), dtype=np.float32)
    wide[rows[inside], columns[inside]] = part["values"][inside]
    x, near, far = np.split(wide, 3, axis=1)
    return Slots(x, near, far, groups["labels"].astype(np.int64), groups["counts"].astype(np.int64))


def join_slots(parts: list[Slots]) -> Slots:
    """The union, in the order given."""
    return Slots(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.near for part in parts]),
        np.concatenate([part.far for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
