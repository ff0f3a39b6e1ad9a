"""How far each site's update moves the weights, and which of them move it much farther than the others."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.wire.records import WEIGHTS, Metrics, flattened, nested
from server_app.method import Reply

FEWEST = 3
"""Updates without which a median says nothing."""

Weights = Mapping[str, NDArray[Any]]


MOST = 1e3
"""An update that is so many times longer than the model itself (or 1) is none, whatever others send."""


def length(weights: Weights) -> float:
    """L2 norm of all tensors together."""
    return float(np.sqrt(sum(float(np.square(array, dtype=np.float64).sum()) for array in weights.values())))


def absurd(norm: float | None, own: float) -> str | None:
    """Why an update of that norm to a model of length ``own`` cannot be one; None if it can."""
    if norm is None or (np.isfinite(norm) and norm <= MOST * max(1.0, own)):
        return None
    return f"its update has the norm {norm:.3g}, the whole model {own:.3g}"


def update_norm(reply: Reply, before: Weights) -> float | None:
    """L2 norm of the update in ``reply``; None if it holds no weights."""
    weights = reply.records.get(WEIGHTS)
    if weights is None or weights.keys() != before.keys():
        return None
    square = sum(
        float(np.square(np.subtract(array, before[name], dtype=np.float64)).sum()) for name, array in weights.items()
    )
    return float(square**0.5)


def far_outside(norms: Mapping[str, float], factor: float) -> dict[str, float]:
    """Sites whose norm is more than ``factor`` times the round's median, and that limit."""
    if len(norms) < FEWEST:
        return {}
    limit = factor * float(np.median(list(norms.values())))
    return {site: limit for site, norm in sorted(norms.items()) if norm > limit > 0}


def clipped(reply: Reply, before: Weights, norm: float, limit: float) -> Reply:
    """The reply with its update scaled down to ``limit``."""
    weights = {
        name: (before[name] + (array - before[name]) * (limit / norm)).astype(array.dtype)
        for name, array in reply.records[WEIGHTS].items()
    }
    return replace(reply, records={**reply.records, WEIGHTS: weights})


class Spool:
    """Replies of one round on disk, where they wait until the round's median is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metrics: dict[str, Metrics] = {}
        shutil.rmtree(folder, ignore_errors=True)

    def add(self, reply: Reply) -> None:
        """Write a reply down."""
        from safetensors.numpy import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.ascontiguousarray(array) for name, array in flattened(reply.records).items()}
        save_file(arrays, self.folder / f"{reply.site}.safetensors")
        self._metrics[reply.site] = reply.metrics

    def replies(self) -> Iterator[Reply]:
        """All replies, one in memory at a time, in the order of their sites' names; the spool is empty then."""
        from safetensors.numpy import load_file

        for site, metrics in sorted(self._metrics.items()):
            yield Reply(site, nested(load_file(self.folder / f"{site}.safetensors")), metrics)
        self._metrics = {}
        shutil.rmtree(self.folder, ignore_errors=True)
