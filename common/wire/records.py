"""What crosses the wire as the code has it; names of the records that shared machinery knows, ranges of scalars."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from common.wire.contract import ScalarSpec

Arrays = Mapping[str, NDArray[Any]]
"""The arrays of one record by name, of the dtypes that its declaration in the contract says."""
Records = Mapping[str, Arrays]
"""Records by name."""
Metric = float | list[int] | list[float]
Metrics = Mapping[str, Metric]
"""Scalars, or short lists of them, by name."""

WEIGHTS = "weights"
"""Trainable tensors and buffers, by their names in the network: what is averaged, clipped and noised."""
MOMENTS = ("input_mean", "input_square", "input_scale")
"""Of the weights' tensors those that are means over the sites' raw inputs: measured, not learnt."""
TRUTH = "truth"
"""Benchmarks only: counts of predictions by true class."""

MOST = 2**40
"""No count is larger."""
HELD_OUT = ScalarSpec(0.0, 1.0, behind="held-out")
"""A share of the labels that are kept to measure by."""
LOSS = ScalarSpec(-1e4, 1e4, group="loss")
COUNT = ScalarSpec(0, MOST, whole=True)
SITE_NUMBER = ScalarSpec(0, MOST, whole=True, simulated=True)
"""Which of its sites a node of a simulation plays."""
SECONDS = ScalarSpec(0, 1e7)


def scalar(metrics: Metrics, name: str) -> float:
    """A metric that is no list, which the contract has checked; 0 where it is not reported."""
    value = metrics.get(name, 0)
    assert not isinstance(value, list)
    return value


def flattened(records: Records) -> dict[str, NDArray[Any]]:
    """All arrays under ``record/name``, as files hold them."""
    return {f"{record}/{name}": array for record, arrays in records.items() for name, array in arrays.items()}


def nested(arrays: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
    """The inverse of ``flattened``: arrays by what stands before the first slash, then by the rest."""
    records: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        record, _, name = key.partition("/")
        records.setdefault(record, {})[name] = array
    return records
