"""The site's own log file: reasons and tracebacks stay at the site.

A line of it is the site's: text that a message brought cannot end it, and lines of a traceback are set off from
it. A disk that is full costs lines of the log, never an answer.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError
from common.one_line import one_line

FILE, OLDER = "site.log", "site.old.log"
MOST_BYTES = 5 * 2**20
"""Of the file; then it becomes the older one, in place of that."""
MOST_TRACEBACK = 40
"""Lines of a traceback that are kept, the last ones."""
MARGIN = "    | "
"""Before each line of a traceback: no such line starts like one of the log's own."""

_lost: dict[Path, int] = {}
"""Lines of each log that could not be written, since the last one that could."""


class OneLine(logging.Formatter):
    """Time, level and message on one bounded line, whatever the message holds; a traceback below it, set off."""

    def format(self, record: logging.LogRecord) -> str:
        """Made anew: what another handler may have kept of a traceback in ``record`` is not used."""
        text = one_line(f"{self.formatTime(record)} {record.levelname} {record.getMessage()}")
        if record.exc_info:
            last = self.formatException(record.exc_info).splitlines()[-MOST_TRACEBACK:]
            text = "\n".join([text, *(MARGIN + one_line(line, 500) for line in last)])
        return text


class SiteLog(logging.Handler):
    """Appends to ``site.log`` in a folder, whole lines or none. It never raises."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / FILE
        self.setFormatter(OneLine())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; what cannot be written is counted, and the count is written once it can."""
        try:
            lost = _lost.get(self.path, 0)
            text = self.format(record) + "\n"
            if lost:
                time = " ".join(text.split(" ", 2)[:2])
                text = f"{time} WARNING {lost} lines before this could not be written\n{text}"
            self._append(text.encode("utf-8", "backslashreplace"))
            _lost.pop(self.path, None)
        except Exception:  # noqa: BLE001 - a log that fails must not cost the answer
            _lost[self.path] = _lost.get(self.path, 0) + 1

    def _append(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            found = os.fstat(handle)
            if found.st_size and found.st_size + len(data) > MOST_BYTES:
                os.close(handle)
                handle = -1
                self.path.replace(self.path.with_name(OLDER))
                handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                found = os.fstat(handle)
            if found.st_mode & 0o077:  # of an earlier version
                os.fchmod(handle, 0o600)
            if os.write(handle, data) < len(data):
                os.ftruncate(handle, found.st_size)
                raise OSError("the disk is full")
        finally:
            if handle >= 0:
                os.close(handle)


@contextmanager
def log_to_site(folder: Path) -> Iterator[None]:
    """Append what is logged meanwhile under ``fedlpa.site`` to ``folder/site.log``, exceptions included."""
    logger = logging.getLogger("fedlpa.site")
    handler = SiteLog(folder)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except InputError as error:
        logger.error("%s", error)
        raise
    except Exception:
        logger.exception("the round failed")
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
