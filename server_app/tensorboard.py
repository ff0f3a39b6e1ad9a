"""The rounds of a run as TensorBoard scalars."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from common.run.record import RoundRecord

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog:
    """Writes round records below ``folder``, one scalar for each number in a record.

    Tags follow the record: ``loss/total``, ``scores/global/all``, ``concepts/site-0``,
    ``clients/failed`` (how many). The step is the round. A round that is written again, in this process or
    after a resume, replaces what was written for it and for the rounds after it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._last_round = 0

    def add(self, record: RoundRecord) -> None:
        """Write one record and flush it."""
        step = record.round
        if self._writer is None or step <= self._last_round:
            self._writer = self._start_at(step)
        for tag, value in scalars(record):
            self._writer.add_scalar(tag, value, step)
        self._writer.flush()
        self._last_round = step

    def close(self) -> None:
        """Close the event file; ``add`` would open another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _start_at(self, step: int) -> "SummaryWriter":
        # Takes seconds to import, and only the server of a run needs it.
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        # Readers drop whatever earlier event files hold from this step on.
        return SummaryWriter(str(self._folder), purge_step=step)


def scalars(record: RoundRecord) -> Iterator[tuple[str, float]]:
    """The numbers of a record as ``(tag, value)``; sites are counted, not named."""
    for key, value in record.to_json().items():
        if key not in {"round", "rounds"}:
            yield from _scalars(key, value)


def _scalars(tag: str, value: JsonValue) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _scalars(f"{tag}/{key}", part)
    elif isinstance(value, list) and tag != "clients/outliers":
        yield tag, float(len(value))
    elif isinstance(value, int | float):
        yield tag, float(value)
