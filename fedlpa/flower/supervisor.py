"""Keeping child processes alive until a signal ends us: what dies is started again, with growing pauses."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType

from common.one_line import one_line
from fedlpa.flower.processes import last_words, start, stop

Say = Callable[[str], None]


class Backoff:
    """Growing pauses between restarts: 1 s doubling to ``most``; back to 1 s after ``calm`` seconds without a fall."""

    def __init__(self, most: float = 60.0, calm: float = 300.0) -> None:
        self.most, self.calm = most, calm
        self._pause, self._last = 0.5, time.monotonic()

    def next(self) -> float:
        """Seconds to wait before the next start."""
        now = time.monotonic()
        self._pause = 1.0 if now - self._last > self.calm else min(self.most, 2 * self._pause)
        self._last = now
        return self._pause


class Child:
    """A child process that may be started more than once; its output goes to ``log``."""

    def __init__(self, module: str, log: Path, environment: Mapping[str, str]) -> None:
        self.module, self.log, self.environment = module, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def started(self) -> bool:
        """Whether it was started, and not stopped by us since."""
        return self._process is not None

    @property
    def runs(self) -> bool:
        """Whether it is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status with which it ended by itself; None if it did not."""
        return None if self._process is None else self._process.poll()

    def start(self, arguments: list[str]) -> None:
        """Start it with ``arguments``."""
        self._process = start(self.module, arguments, self.log, self.environment)

    def stop(self, patience: float = 10.0) -> None:
        """End it; it has ``patience`` seconds to do so itself."""
        stop(self._process, patience)
        self._process = None

    def last_words(self) -> str:
        """Why it ended, on one line."""
        return last_words(self.log, self.status or 0)


class Supervisor:
    """Looks after children until SIGTERM or SIGINT. Made in the main thread: it takes both signals over."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def run(self, look: Callable[[], float]) -> None:
        """Call ``look``, which says in how many seconds to look again, until a signal comes."""
        while not self.stopping:
            self.sleep(look())

    def wait(self, backoff: Backoff, why: str) -> None:
        """Say ``why`` and in how many seconds; wait that long."""
        pause = backoff.next()
        self.say(f"{why} in {pause:g} s")
        self.sleep(pause)

    def now(self) -> float:
        """Seconds of the clock by which it waits."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until a signal comes."""
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            time.sleep(0.1)


def print_line(sentence: str) -> None:
    """A line of a process that runs for days: with the time, flushed; nothing in it steers a terminal.

    Where nobody reads any more, or the log is on a full disk, the process goes on.
    """
    with contextlib.suppress(OSError):
        print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {one_line(sentence)}", flush=True)
