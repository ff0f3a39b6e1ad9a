"""Weights that single one person out by what a server knows of him, and what it reads of the rest.

The server knows ``KNOWN`` columns of a person who lies farther out along them than anybody else at the site. The gate:
hidden units that are silent but for that person, and hand on the columns that the server does not know. All others come
out as one constant vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KNOWN = 20
"""Columns that the server knows already; it reads the others."""


@dataclass(frozen=True)
class Target:
    """A person: the row; the direction in the known columns, and the place on it that parts him from the others."""

    row: int
    along_D: NDArray[np.float64]
    threshold: float
    margin: float


def targets(x_ND: NDArray[np.float64], count: int) -> list[Target]:
    """The ``count`` persons who are the easiest to single out by the known columns of standardised samples."""
    known = np.where(np.arange(x_ND.shape[1]) < KNOWN, x_ND, 0.0)
    found = []
    for row in range(len(x_ND)):
        along = known[row] / np.linalg.norm(known[row])
        places = known @ along
        second = float(np.delete(places, row).max())
        found.append(Target(row, along, (float(places[row]) + second) / 2, float(places[row]) - second))
    return sorted(found, key=lambda target: -target.margin)[:count]


def gate_weights(start: Mapping[str, NDArray[Any]], target: Target, steep: float) -> dict[str, NDArray[Any]]:
    """The adapter's weights with a gate around ``target``; ``steep``: how hard it shuts, and how far it is to it."""
    weights = {name: np.array(array) for name, array in start.items()}
    # Units that are not needed stay as they are and are not listened to: the shortest way to a gate is the best attack.
    first, bias = (np.array(weights[f"backbone.mlp.0.{name}"], np.float64) for name in ("weight", "bias"))
    d = first.shape[1]
    last = np.zeros((weights["backbone.mlp.2.weight"].shape[0], first.shape[0]))
    for unit in range(KNOWN, d + 1):
        first[unit], bias[unit] = steep * target.along_D, -steep * target.threshold
        if unit < d:
            first[unit, unit] += 1.0
            last[unit, unit], last[unit, d] = 1.0, -1.0
    constant = np.zeros(len(last), np.float32)
    constant[0] = 1.0
    weights["backbone.skip.weight"] = np.zeros_like(weights["backbone.skip.weight"])
    weights["backbone.mlp.0.weight"] = first.astype(np.float32)
    weights["backbone.mlp.0.bias"] = bias.astype(np.float32)
    weights["backbone.mlp.2.weight"] = last.astype(np.float32)
    weights["backbone.mlp.2.bias"] = constant
    return weights


def likeness(feature_mean: NDArray[Any], person_D: NDArray[np.float64]) -> float:
    """Correlation of what was read with what the server did not know of the person; 0 where nothing was read."""
    read, truth = np.asarray(feature_mean, np.float64)[KNOWN : len(person_D)], person_D[KNOWN:]
    if not read.std() or not truth.std():
        return 0.0
    return float(np.corrcoef(read, truth)[0, 1])
