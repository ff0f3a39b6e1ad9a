"""Scalars leave an institution only as precisely as the samples behind them support.

A mean over n samples is uncertain by about 1 / sqrt(n) of its range, and one sample moves it by 1 / n of it. Digits
beyond the first say nothing about a model and much about who is among the n. Values go up or down to a grid of that
width at random, so that means over sites stay right; the same reply always says the same.
"""

import math
from collections.abc import Mapping

import numpy as np

from common.wire.contract import ScalarSpec
from common.wire.records import Metric, Metrics

RELATIVE = 4.0
"""Ranges wider than this say nothing about the usual size of a value, which then stands for its range itself."""


def coarse_scalars(
    metrics: Metrics, specs: Mapping[str, ScalarSpec], sizes: Mapping[str, int], generator: np.random.Generator
) -> dict[str, Metric]:
    """``metrics`` at the precision that ``sizes`` support: numbers of samples by the names in the specifications."""
    return {
        name: _coarse(value, specs[name], sizes, generator) if name in specs and not specs[name].whole else value
        for name, value in sorted(metrics.items())
    }


def coarse(value: float, spec: ScalarSpec, n: int, generator: np.random.Generator) -> float:
    """``value`` on a grid of 1 / sqrt(n) of its range; 0 where no sample is behind it."""
    if n <= 0:
        return 0.0
    span = spec.high - spec.low
    size = span / 2 if span <= RELATIVE else abs(value)
    if not size:
        return value
    step = 2.0 ** math.ceil(math.log2(size / math.sqrt(n)))  # a power of two tells nothing about the value
    rounded = math.floor(value / step + generator.random()) * step
    return min(spec.high, max(spec.low, rounded))


def _coarse(value: Metric, spec: ScalarSpec, sizes: Mapping[str, int], generator: np.random.Generator) -> Metric:
    if spec.exact:
        return value
    n = sizes.get(spec.behind, 0)
    if isinstance(value, list):
        return [coarse(entry, spec, n, generator) for entry in value]
    return coarse(value, spec, n, generator)
