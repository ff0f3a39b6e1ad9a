"""The form of a wire contract, and its checker. What a method sends is declared once, in its ``contract`` below
``common/methods``; the client's guard and the server's validation both read that, and refuse what it does not name.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict

if TYPE_CHECKING:
    from torch import Tensor

METRICS = "metrics"
"""Name of the one metric record of a reply."""


LARGEST = {"float16": 6e4, "float32": 1e12, "float64": 1e100}
"""The largest number of each type that crosses the wire; float64 is for moments of raw columns."""


@dataclass(frozen=True)
class ArraySpec:
    """Name-less declaration of one array: NumPy dtype name and shape; None stands for any length up to ``most``.

    Every entry is finite and within [``low``, ``high``]; of floating-point numbers none is farther from 0 than
    ``LARGEST`` says, so that no sum or square of what sites send overflows.
    """

    dtype: str
    shape: tuple[int | None, ...]
    most: int = 4096
    low: float = -math.inf
    high: float = math.inf


def specs_of(tensors: Mapping[str, "Tensor"]) -> dict[str, ArraySpec]:
    """The declaration of a network's tensors: each as it is by name, dtype and shape."""
    return {
        name: ArraySpec(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }


@dataclass(frozen=True)
class ScalarSpec:
    """Range of a scalar metric, or of each entry of a list of ``length`` entries; ``whole``: integers only."""

    low: float = -math.inf
    high: float = math.inf
    length: int | None = None
    whole: bool = False
    simulated: bool = False
    """Whether only sites of a simulation report it."""
    behind: str = "samples"
    """What it is a mean over, and how many: the metric of that name, or ``held-out`` labels."""
    exact: bool = False
    """Whether an institution may say it to the last digit: a choice, not a mean. Whole numbers are."""
    group: str = ""
    """Under which heading a round's record shows its mean over the sites: ``loss``, ``health``, or not at all."""


@dataclass(frozen=True)
class Record:
    """One named record of arrays that may leave a site, and what those who judge it need to know.

    ``required`` records are in every reply of a round; of the others a reply holds what there is.
    """

    name: str
    arrays: Mapping[str, ArraySpec]
    required: bool = False
    switch: str = ""
    """The setting that keeps it at the sites, ``key=value``, where the method has one."""
    counted: str = ""
    """What its rows are called, where its array ``counts`` says how many samples stand behind each."""
    consent: bool = False
    """Whether it leaves only where a site's own policy names it: no policy that is handed out does."""
    at_delivery: bool = False
    """Whether it may also leave in answer to the final model."""
    benchmark: bool = False
    """Whether it exists in simulations only, where all sites belong to whoever runs them."""


@dataclass(frozen=True)
class Contract:
    """What one reply may hold: array records, and metrics by name."""

    records: tuple[Record, ...] = ()
    metrics: Mapping[str, ScalarSpec] = field(default_factory=dict)

    @property
    def arrays(self) -> dict[str, Mapping[str, ArraySpec]]:
        """All array records by name."""
        return {record.name: record.arrays for record in self.records}

    def delivery(self) -> "Contract":
        """What the answer to the final model may hold."""
        kept = tuple(replace(record, required=False) for record in self.records if record.at_delivery)
        return Contract(kept, self.metrics)

    def without(self, name: str) -> "Contract":
        """The same without one array record: a reply that holds it is refused."""
        return Contract(tuple(record for record in self.records if record.name != name), self.metrics)

    def at_institution(self) -> "Contract":
        """What an institution's reply may hold: nothing that exists in simulations only."""
        records = tuple(record for record in self.records if not record.benchmark)
        return Contract(records, {name: spec for name, spec in self.metrics.items() if not spec.simulated})

    def metrics_only(self) -> "Contract":
        """The part that a reply without arrays must fit."""
        return Contract((), self.metrics)


def violations(content: RecordDict, contract: Contract) -> list[str]:
    """Everything in ``content`` that the contract does not allow, a sentence each; empty if it may pass.

    A site without samples sits out: it may send metrics, and no arrays at all.
    """
    found: list[str] = []
    if sits_out(content):
        contract = contract.metrics_only()
    found += [f"record '{r.name}' is missing" for r in contract.records if r.required and r.name not in content]
    arrays = contract.arrays
    for name, record in content.items():
        if name == METRICS and isinstance(record, MetricRecord):
            found += _metric_violations(record, contract.metrics)
        elif name in arrays and isinstance(record, ArrayRecord):
            found += _array_violations(name, record, arrays[name])
        else:
            found.append(f"record '{name}' is not in the contract")
    return found


def sits_out(content: RecordDict) -> bool:
    """Whether a reply says that there are no samples behind it."""
    metrics = content.metric_records.get(METRICS)
    return metrics is not None and metrics.get("samples") == 0


def _array_violations(record_name: str, record: ArrayRecord, specs: Mapping[str, ArraySpec]) -> list[str]:
    found = [f"array '{record_name}/{name}' is missing" for name in specs if name not in record]
    free: dict[int, int] = {}
    for name, array in record.items():
        if name not in specs:
            found.append(f"array '{record_name}/{name}' is not in the contract")
            continue
        spec = specs[name]
        where = f"array '{record_name}/{name}'"
        shape = tuple(array.shape)
        if array.stype != "numpy.ndarray":
            found.append(f"{where} is serialised as '{array.stype}', expected 'numpy.ndarray'")
        elif array.dtype != spec.dtype:
            found.append(f"{where} has dtype {array.dtype}, expected {spec.dtype}")
        elif len(shape) != len(spec.shape) or any(
            (want is None and not 0 <= have <= spec.most) or (want is not None and have != want)
            for have, want in zip(shape, spec.shape, strict=True)
        ):
            found.append(f"{where} has shape {shape}, expected {_shape_text(spec)}")
        else:
            found += _content_violations(where, array, spec)
            if spec.shape and spec.shape[0] is None:
                free[shape[0]] = free.get(shape[0], 0) + 1
    if len(free) > 1:
        found.append(f"arrays of record '{record_name}' differ in length: {sorted(free)}")
    return found


def _content_violations(where: str, array: Array, spec: ArraySpec) -> list[str]:
    """The bytes must be exactly what ``np.save`` makes of such an array.

    A header can lie about shape and dtype, or ask for more memory than there is; bytes after the array, or in the
    padding of its header, would leave unseen. Nothing is parsed before the bytes are known to be harmless.
    """
    shape = tuple(array.shape)
    start = _npy_header(spec.dtype, shape)
    size = len(start) + np.dtype(spec.dtype).itemsize * math.prod(shape)
    if not array.data.startswith(start) or len(array.data) != size:
        return [f"{where} does not hold the bytes of a {spec.dtype} array of shape {shape}"]
    value = np.frombuffer(array.data, dtype=spec.dtype, offset=len(start))
    unsound = int((~np.isfinite(value)).sum())
    if unsound:
        return [f"{where} holds {unsound} values that are not finite"]
    most = LARGEST.get(spec.dtype, math.inf)
    low, high = max(spec.low, -most), min(spec.high, most)
    if value.size and not (low <= value.min() and value.max() <= high):
        return [f"{where} is outside [{low:g}, {high:g}]"]
    return []


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def _metric_violations(record: MetricRecord, specs: Mapping[str, ScalarSpec]) -> list[str]:
    found: list[str] = []
    for name, value in record.items():
        spec = specs.get(name)
        if spec is None:
            found.append(f"metric '{name}' is not in the contract")
            continue
        if isinstance(value, list) != (spec.length is not None):
            found.append(f"metric '{name}' should be a {'number' if spec.length is None else 'list'}")
            continue
        entries: list[Any] = value if isinstance(value, list) else [value]
        if spec.length is not None and len(entries) != spec.length:
            found.append(f"metric '{name}' has {len(entries)} entries, expected {spec.length}")
        for entry in entries:
            if spec.whole and not isinstance(entry, int):
                found.append(f"metric '{name}' is not a whole number")
                break
            if not math.isfinite(entry):
                found.append(f"metric '{name}' is not finite")
                break
            if not spec.low <= entry <= spec.high:
                found.append(f"metric '{name}' is outside [{spec.low:g}, {spec.high:g}]")
                break
    return found


def _shape_text(spec: ArraySpec) -> str:
    return "(" + ", ".join(f"0 to {spec.most}" if n is None else str(n) for n in spec.shape) + ")"
