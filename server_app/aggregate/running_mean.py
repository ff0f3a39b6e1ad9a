"""The running weighted mean of FedAvg: replies are folded in as they arrive and dropped."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RunningMean:
    """Weighted mean of named arrays, in memory that does not grow with the number of replies.

    Sums are kept in two float64 parts (Knuth's two-sum), so that the order in which replies arrive does not show
    in the result, which has the type of what came in: a run repeats although its clients race.
    """

    def __init__(self) -> None:
        self.weight = 0.0
        self._high: dict[str, NDArray[np.float64]] = {}
        self._low: dict[str, NDArray[np.float64]] = {}
        self._types: dict[str, np.dtype[Any]] = {}

    def add(self, arrays: Mapping[str, NDArray[Any]], weight: float) -> None:
        """Fold in one reply with a positive weight."""
        self.weight += weight
        for name, array in arrays.items():
            term = array.astype(np.float64) * weight
            if name not in self._high:
                self._high[name] = term
                self._types[name] = array.dtype
                self._low[name] = np.zeros_like(term)
                continue
            high = self._high[name]
            total = high + term
            part = total - high
            self._low[name] += (high - (total - part)) + (term - part)
            self._high[name] = total

    def result(self, number: int = 0) -> dict[str, NDArray[Any]]:
        """The mean, the same in whatever round ``number``; empty if nothing was added."""
        return {
            name: ((high + self._low[name]) / self.weight).astype(self._types[name])
            for name, high in self._high.items()
        }
