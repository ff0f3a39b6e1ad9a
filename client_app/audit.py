"""``audit.jsonl``: a line for every answer to the server, errors too, chained by hashes so that none can be changed.

A line says who asked for what, what became of it and why, and names what left (records, arrays, shapes, bytes, SHA-256,
norm, metric values); the arrays themselves are not kept. Cutting lines off the end leaves a valid, shorter chain:
compare the last hash with a copy kept elsewhere.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, MessageType, RecordDict

from client_app.refusal import Outcome
from common.errors import RunFailedError
from common.locks import lock
from common.one_line import one_line
from common.wire.contract import METRICS

FILE = "audit.jsonl"
START = "0" * 64


MOST_REASON = 500
"""Characters of a reason."""


@dataclass
class Event:
    """One message of the server and what became of it; filled in as it becomes known."""

    run: str = ""
    method: str = ""
    round: int = 0
    rounds: int = 0
    kind: str = ""
    outcome: Outcome = "failed"
    reason: str = ""
    seconds: float = 0.0
    noise: float = 0.0
    """Noise multiplier of the update that left; 0 without one."""


@dataclass(frozen=True)
class AuditSummary:
    """A verified log: number of lines, bytes that left in all, hash of the last line; and by run how many answers to
    rounds left, and the noise multipliers of those with noise."""

    messages: int
    bytes: int
    last: str
    rounds: Mapping[str, int]
    noise: Mapping[str, list[float]]


def append_event(folder: Path, event: Event, content: RecordDict | None = None) -> None:
    """Add a line on ``event`` and on the ``content`` that is about to leave, and bring it to the disk.

    Raises:
        OSError: the line cannot be written; the caller must hold the message back.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        lock(handle, wait=True)
        last = _last_entry(handle)
        entry = {
            "n": (last["n"] + 1) if last else 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **asdict(event),
            "reason": one_line(event.reason, MOST_REASON),
            "seconds": round(event.seconds, 3),
            **_describe(RecordDict({}) if content is None else content),
            "previous": last["hash"] if last else START,
        }
        line = (json.dumps({**entry, "hash": _hash(entry)}, allow_nan=False) + "\n").encode()
        if os.write(handle, line) < len(line):
            raise OSError(f"{folder / FILE}: the line did not fit; is the disk full?")
        os.fsync(handle)
    finally:
        os.close(handle)


def verify(path: Path) -> AuditSummary:
    """Check the whole chain.

    Raises:
        RunFailedError: a line was changed, removed, inserted or cut; names the first.
    """
    previous, count, total = START, 0, 0
    rounds: dict[str, int] = {}
    noise: dict[str, list[float]] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                entry = json.loads(line)
                claimed = entry.pop("hash")
                whole = line.endswith("\n") and entry["n"] == number and entry["previous"] == previous
            except (ValueError, KeyError, TypeError, AttributeError):
                whole, claimed = False, ""
            if not whole or claimed != _hash(entry):
                raise RunFailedError(
                    f"{path}: line {number} does not continue the chain; it, or a line before it, was changed."
                )
            previous, count, total = claimed, number, total + int(entry["bytes"])
            if entry["kind"] == MessageType.TRAIN and entry.get("outcome", "sent") == "sent":
                rounds[entry["run"]] = rounds.get(entry["run"], 0) + 1
                if entry.get("noise"):
                    noise.setdefault(entry["run"], []).append(float(entry["noise"]))
    return AuditSummary(count, total, previous, rounds, noise)


def lines_in(folder: Path) -> int:
    """How many lines the log has, by the number of the last one.

    Raises:
        ValueError: the end of the log is damaged.
    """
    try:
        handle = os.open(folder / FILE, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        lock(handle, wait=True)
        last = _last_entry(handle)
        return int(last["n"]) if last else 0
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
    finally:
        os.close(handle)


def _describe(content: RecordDict) -> dict[str, Any]:
    records: dict[str, Any] = {}
    size, square = 0, 0.0
    for record_name, record in content.items():
        if not isinstance(record, ArrayRecord):
            continue
        arrays = {}
        for name, array in record.items():
            value = array.numpy()
            if np.issubdtype(value.dtype, np.floating):
                square += float(np.square(value, dtype=np.float64).sum())
            arrays[name] = {
                "dtype": array.dtype,
                "shape": list(array.shape),
                "bytes": len(array.data),
                "sha256": hashlib.sha256(array.data).hexdigest(),
            }
            size += len(array.data)
        records[record_name] = arrays
    metrics = content.metric_records.get(METRICS)
    return {"bytes": size, "norm": square**0.5, "records": records, "metrics": dict(metrics or {})}


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _last_entry(handle: int) -> dict[str, Any] | None:
    """The last line of the log; None in an empty one.

    A line without an end is cut off: the process died, or the disk was full, before its message could leave.
    """
    end, size = os.lseek(handle, 0, os.SEEK_END), 4096
    while True:
        start = max(0, end - size)
        tail = os.pread(handle, end - start, start)
        whole = tail[: tail.rfind(b"\n") + 1]
        before = whole.rstrip(b"\n").rfind(b"\n")
        if before >= 0 or start == 0:
            break
        size *= 4
    if len(whole) < len(tail):
        os.ftruncate(handle, start + len(whole))
    return dict(json.loads(whole[before + 1 :])) if whole else None
