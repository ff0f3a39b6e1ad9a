"""Weights that single one person out, and what a server reads from the means of a network that has them.

The gate of the adapter's network: hidden units that are silent but for the one sample that lies farthest along a
direction, and hand that sample's features on. The others all come out as one constant vector.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEEP = 40.0
"""How hard the gate shuts: the smaller, the more samples leak through, and the shorter is the way to it."""


def gate_weights(start: Mapping[str, NDArray[Any]], target_D: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The adapter's weights with a gate around ``target_D``, a standardised sample."""
    weights = {name: np.array(array) for name, array in start.items()}
    hidden, width = weights["backbone.mlp.0.weight"].shape[0], weights["backbone.mlp.2.weight"].shape[0]
    d = len(target_D)
    length = float(np.linalg.norm(target_D))
    along = target_D / length
    # Units that are not needed stay as they are and are not listened to: the shortest way to a gate is the best attack.
    first, bias = (np.array(weights[f"backbone.mlp.0.{name}"], np.float64) for name in ("weight", "bias"))
    last = np.zeros((width, hidden))
    for unit in range(d + 1):
        first[unit] = STEEP * along
        bias[unit] = -STEEP * (length - 0.05)
        if unit < d:
            first[unit, unit] += 1.0
            last[unit, unit], last[unit, d] = 1.0, -1.0
    weights["backbone.skip.weight"] = np.zeros_like(weights["backbone.skip.weight"])
    weights["backbone.mlp.0.weight"] = first.astype(np.float32)
    weights["backbone.mlp.0.bias"] = bias.astype(np.float32)
    weights["backbone.mlp.2.weight"] = last.astype(np.float32)
    constant = np.zeros(width, np.float32)
    constant[0] = 4.0
    weights["backbone.mlp.2.bias"] = constant
    return weights


def read_person(feature_mean: NDArray[Any], samples: int) -> NDArray[np.float64]:
    """What the mean feature says of the person behind the gate, up to a factor: coordinates but the constant's."""
    read: NDArray[np.float64] = samples * np.asarray(feature_mean, np.float64)[1:]
    return read


def likeness(read: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Pearson correlation; 0 where nothing was read."""
    if not read.std() or not truth.std():
        return 0.0
    return float(np.corrcoef(read, truth)[0, 1])
