"""Building and reading Flower messages: the one place that knows how records are laid out in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from numpy.typing import NDArray

from common.config import RunConfig, from_json
from common.wire.contract import METRICS

RUN = "run"
"""Name of the config record that every message of the server carries."""

DELIVER = f"{MessageType.TRAIN}.deliver"
"""Type of the message that brings the final model."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Instruction:
    """What the server tells a client beside the arrays.

    ``simulation_root`` is empty in a deployment: sites know where their data is. ``run`` names the run for as long as
    it lasts, resumed or not: private state of another run is of no use.
    """

    config: RunConfig
    round: int
    curve: tuple[float, ...] | None
    simulation_root: str
    run: str = ""


def server_content(instruction: Instruction, records: Mapping[str, Arrays]) -> RecordDict:
    """The content of a message from the server."""
    run: dict[str, Any] = {
        "config": instruction.config.to_json(),
        "round": instruction.round,
        "simulation-root": instruction.simulation_root,
        "run": instruction.run,
    }
    if instruction.curve is not None:
        run["curve"] = list(instruction.curve)
    return RecordDict({RUN: ConfigRecord(run), **_array_records(records)})


def client_content(records: Mapping[str, Arrays], metrics: Mapping[str, Any]) -> RecordDict:
    """The content of a reply."""
    return RecordDict({**_array_records(records), METRICS: MetricRecord(dict(metrics))})


def read_instruction(message: Message) -> Instruction:
    """The instruction in a message of the server."""
    run = message.content[RUN]
    assert isinstance(run, ConfigRecord)
    curve = run.get("curve")
    return Instruction(
        config=from_json(str(run["config"])),
        round=int(str(run["round"])),
        curve=tuple(float(value) for value in curve) if isinstance(curve, list) else None,
        simulation_root=str(run["simulation-root"]),
        run=str(run["run"]),
    )


def read_arrays(content: RecordDict) -> dict[str, dict[str, NDArray[Any]]]:
    """All array records of a message, as NumPy arrays by record and name."""
    return {
        record_name: {name: array.numpy() for name, array in record.items()}
        for record_name, record in content.array_records.items()
    }


def read_metrics(content: RecordDict) -> dict[str, Any]:
    """The metrics of a reply."""
    record = content.metric_records.get(METRICS)
    return dict(record) if record is not None else {}


def content_bytes(content: RecordDict) -> int:
    """Payload of all arrays in bytes, as serialised."""
    return sum(len(array.data) for record in content.array_records.values() for array in record.values())


def _array_records(records: Mapping[str, Arrays]) -> dict[str, ArrayRecord]:
    return {
        record_name: ArrayRecord({name: Array(np.ascontiguousarray(array)) for name, array in arrays.items()})
        for record_name, arrays in records.items()
    }
