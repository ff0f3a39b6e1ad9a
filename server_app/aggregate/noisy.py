"""Central differential privacy: updates clipped as they arrive, Gaussian noise on their mean."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.place import Place, Simulation
from common.privacy.mechanism import add_noise, clip_update
from common.settings import AnyConfig
from common.wire.records import WEIGHTS
from server_app.aggregate.running_mean import RunningMean
from server_app.method import Reply

CENTRAL = 2**31
"""Stands where a site's number stands in the seeds of sites' noise."""


def clip_reply(reply: Reply, before: Mapping[str, NDArray[Any]], norm: float | None) -> Reply:
    """The reply with its update of the weights clipped to ``norm``; itself where there is nothing to clip."""
    weights = reply.records.get(WEIGHTS)
    if norm is None or weights is None:
        return reply
    return replace(reply, records={**reply.records, WEIGHTS: clip_update(weights, before, norm)})


class NoisyMean:
    """The plain mean of clipped updates, every site counting the same, with noise of the clip norm's size on it.

    A site's number of samples does not weigh: it would let one site's part of the mean grow beyond norm / sites.
    """

    def __init__(self, config: AnyConfig, place: Place) -> None:
        assert config.central_clip_norm is not None
        self.multiplier, self.norm = config.central_noise_multiplier, config.central_clip_norm
        self._repeats, self._seed = isinstance(place, Simulation), config.seed
        self._mean = RunningMean()

    def add(self, arrays: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """Take in one clipped reply."""
        self._mean.add(arrays, 1.0)

    def result(self, number: int = 0) -> dict[str, NDArray[np.float32]]:
        """The mean of round ``number`` with noise; empty if nothing was added.

        A simulation draws the noise from the run's seed and the round, so that a run repeats, resumed or not.
        """
        mean = self._mean.result()
        if not mean:
            return {}
        deviation = self.multiplier * self.norm / round(self._mean.weight)
        return add_noise(mean, deviation, (self._seed, number, CENTRAL) if self._repeats else None)
