"""What ``audit.jsonl`` says of each reply, for people: read tolerantly, bounded, nothing in it steers a terminal.

``fedlpa site audit`` verifies the file; here a line that cannot be read is counted and passed over.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.one_line import one_line

MOST_LINE = 2**20
"""Bytes of a line; a longer one is none of ours."""
MOST_READ = 2**22
"""Bytes that are read at once."""
NAME, REASON = 64, 400
"""Characters of a name and of a reason."""


@dataclass(frozen=True)
class AuditedReply:
    """One reply of the site. ``outcome`` is ``sent``, ``repeated`` or why nothing left; ``bytes`` is what left."""

    time: str
    run: str
    method: str
    round: int
    rounds: int
    kind: str
    outcome: str
    reason: str
    seconds: float
    bytes: int
    records: tuple[str, ...]
    scalars: int

    @property
    def left(self) -> bool:
        """Whether something left the site."""
        return self.outcome in ("sent", "repeated")


def read_reply(line: bytes) -> AuditedReply | None:
    """The reply that a line of ``audit.jsonl`` tells of; None if it tells of none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or "run" not in entry:
        return None

    def text(key: str, most: int, otherwise: str = "") -> str:
        value = entry.get(key)
        return otherwise if value is None else one_line(value, most)

    def number(key: str) -> float:
        value = entry.get(key)
        fine = isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 1e18
        return float(value) if fine else 0.0  # type: ignore[arg-type]

    records, metrics = entry.get("records"), entry.get("metrics")
    return AuditedReply(
        time=text("time", NAME),
        run=text("run", NAME),
        method=text("method", NAME),
        round=int(number("round")),
        rounds=int(number("rounds")),
        kind=text("kind", NAME),
        outcome=text("outcome", NAME, "sent"),  # lines of versions that logged nothing else
        reason=text("reason", REASON),
        seconds=number("seconds"),
        bytes=int(number("bytes")),
        records=tuple(one_line(name, NAME) for name in list(records)[:20]) if isinstance(records, dict) else (),
        scalars=len(metrics) if isinstance(metrics, dict) else 0,
    )


class Follower:
    """Hands out the lines that are added to a file from now on: whole ones only, each once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._offset = self._whole()
        self._passing_over = False

    def _whole(self) -> tuple[int, int]:
        """The file's identity and the end of its last whole line."""
        try:
            with open(self.path, "rb") as file:
                found = self.path.stat()
                end = found.st_size
                while end > 0:
                    start = max(0, end - MOST_LINE)
                    file.seek(start)
                    last = file.read(end - start).rfind(b"\n")
                    if last >= 0:
                        return found.st_ino, start + last + 1
                    end = start
                return found.st_ino, 0
        except OSError:
            return 0, 0

    def new_lines(self) -> list[bytes]:
        """The lines that came since the last call.

        A file that took the place of the one before is read from its start; of one that was cut, what stayed is old.
        """
        try:
            with open(self.path, "rb") as file:
                found = self.path.stat()
                if found.st_ino != self._file:
                    self._file, self._offset, self._passing_over = found.st_ino, 0, False
                elif found.st_size < self._offset:
                    self._offset, self._passing_over = self._whole()[1], False
                file.seek(self._offset)
                data = file.read(MOST_READ)
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        if not whole and len(data) > MOST_LINE:
            self._offset += len(data)
            self._passing_over = True
            return []
        self._offset += len(whole)
        lines = whole.splitlines()
        if self._passing_over and lines:
            self._passing_over = False
            lines = lines[1:]
        return [line for line in lines if len(line) <= MOST_LINE]


def all_replies(path: Path) -> Iterator[AuditedReply | None]:
    """Every line of the log as a reply, None for one that cannot be read; nothing where there is no file.

    Raises:
        OSError: the file cannot be read.
    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        while line := file.readline(MOST_LINE + 1):
            if not line.endswith(b"\n"):
                if len(line) <= MOST_LINE:
                    return  # its message is about to leave, or never left
                while (rest := file.readline(MOST_LINE + 1)) and not rest.endswith(b"\n"):
                    pass
                yield None
            else:
                yield read_reply(line)
