"""Aggregation that a few bad updates cannot steer, by Flower's own functions."""

import logging
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.place import Place
from common.settings import AnyConfig
from server_app.aggregate.noisy import NoisyMean
from server_app.aggregate.running_mean import RunningMean

log = logging.getLogger("fedlpa.server")


class Aggregate(Protocol):
    """Joins the updates of one round."""

    def add(self, arrays: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """Take in one reply with a positive weight."""
        ...

    def result(self, number: int = 0) -> dict[str, NDArray[np.float32]]:
        """The joined arrays of round ``number``; empty if nothing was added."""
        ...


def make_aggregate(config: AnyConfig, place: Place) -> Aggregate:
    """What the setting ``aggregation`` names; with ``central-noise-multiplier`` the mean with noise on it."""
    if config.central_noise_multiplier:
        return NoisyMean(config, place)
    return RunningMean() if config.aggregation == "mean" else RobustAggregate(config)


class RobustAggregate:
    """Coordinate-wise median, trimmed mean, or Multi-Krum. All updates of a round are held in memory."""

    def __init__(self, config: AnyConfig) -> None:
        self.kind, self.malicious = config.aggregation, config.malicious_clients
        self._names: tuple[str, ...] = ()
        self._results: list[tuple[list[NDArray[np.float32]], int]] = []

    def add(self, arrays: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """Take in one reply with a positive weight."""
        self._names = self._names or tuple(arrays)
        self._results.append(([np.array(arrays[name]) for name in self._names], round(weight)))

    def result(self, number: int = 0) -> dict[str, NDArray[np.float32]]:
        """The joined arrays; empty if nothing was added. Too few updates for the setting: the median of them."""
        from flwr.server.strategy.aggregate import aggregate_krum, aggregate_median, aggregate_trimmed_avg

        n, bad = len(self._results), self.malicious
        if not n:
            return {}
        if self.kind == "trimmed-mean" and n > 2 * bad:
            # Flower cuts int(share * n) updates: a share of bad / n can fall short of bad in the last bit (1 of 49).
            joined = aggregate_trimmed_avg(self._results, (bad + 0.25) / n)
        elif self.kind == "multi-krum" and n >= 2 * bad + 3:
            joined = aggregate_krum(self._results, bad, n - bad)
        else:
            if self.kind != "median":
                log.warning("%d updates are too few for %s with %d bad ones; their median is taken", n, self.kind, bad)
            joined = aggregate_median(self._results)
        return {
            name: np.asarray(array, dtype=first.dtype)
            for name, array, first in zip(self._names, joined, self._results[0][0], strict=True)
        }
