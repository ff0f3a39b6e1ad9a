"""Building and reading Flower messages: the one place that knows how records are laid out in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from numpy.typing import NDArray

from common.config import from_json
from common.place import Deployment, Place, Simulation
from common.settings import AnyConfig
from common.wire.contract import METRICS
from common.wire.records import Metrics, Records

RUN = "run"
"""Name of the config record that every message of the server carries."""

DELIVER = f"{MessageType.TRAIN}.deliver"
"""Type of the message that brings the final model."""


@dataclass(frozen=True)
class Instruction:
    """What the server tells a client beside the arrays.

    ``run`` names the run for as long as it lasts, resumed or not: private state of another run is of no use.
    """

    config: AnyConfig
    round: int
    place: Place
    run: str = ""
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Short lists of numbers by which the method's server steers its clients."""


def server_content(instruction: Instruction, records: Records) -> RecordDict:
    """The content of a message from the server."""
    run: dict[str, Any] = {
        "config": instruction.config.to_json(),
        "round": instruction.round,
        "simulation-root": str(instruction.place.root) if isinstance(instruction.place, Simulation) else "",
        "run": instruction.run,
    }
    assert not run.keys() & instruction.values.keys(), "a value has the name of a part of the instruction"
    run |= {name: list(value) for name, value in instruction.values.items()}
    return RecordDict({RUN: ConfigRecord(run), **_array_records(records)})


def client_content(records: Records, metrics: Metrics) -> RecordDict:
    """The content of a reply."""
    return RecordDict({**_array_records(records), METRICS: MetricRecord(dict(metrics))})


def read_instruction(message: Message) -> Instruction:
    """The instruction in a message of the server."""
    run = message.content[RUN]
    assert isinstance(run, ConfigRecord)
    root = str(run["simulation-root"])
    return Instruction(
        config=from_json(str(run["config"])),
        round=int(str(run["round"])),
        place=Simulation(Path(root)) if root else Deployment(),
        run=str(run["run"]),
        values={
            name: tuple(float(number) for number in value) for name, value in run.items() if isinstance(value, list)
        },
    )


def read_arrays(content: RecordDict) -> dict[str, dict[str, NDArray[Any]]]:
    """All array records of a message, as NumPy arrays by record and name."""
    return {
        record_name: {name: array.numpy() for name, array in record.items()}
        for record_name, record in content.array_records.items()
    }


def read_metrics(content: RecordDict) -> Metrics:
    """The metrics of a reply."""
    record = content.metric_records.get(METRICS)
    return {} if record is None else dict(record)


def content_bytes(content: RecordDict) -> int:
    """Payload of all arrays in bytes, as serialised."""
    return sum(len(array.data) for record in content.array_records.values() for array in record.values())


def _array_records(records: Records) -> dict[str, ArrayRecord]:
    return {
        record_name: ArrayRecord({name: Array(np.ascontiguousarray(array)) for name, array in arrays.items()})
        for record_name, arrays in records.items()
    }
