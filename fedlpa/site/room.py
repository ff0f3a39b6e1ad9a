"""Is there room on the site's disk, and may it be written? A full disk loses replies and the final model."""

import shutil
from collections.abc import Callable
from pathlib import Path

ENOUGH_DISK = 2 * 2**30
"""Bytes that should be free for the site's state."""
PROBE = ".room"
PROBE_BYTES = 2**16
LOOK_EVERY = 10.0
"""Seconds between two looks."""


def size(number: int) -> str:
    """Bytes in decimal units: 437500 is "0.4 MB"."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= scale / 10:
            return f"{number / scale:.1f} {unit}"
    return f"{number} bytes"


def standing_folder(state: Path) -> Path:
    """``state``, or the nearest folder above it that is there."""
    return next((path for path in (state, *state.parents) if path.exists()), Path("/"))


def free_bytes(state: Path) -> int:
    """Free bytes where ``state`` is, or would be."""
    return shutil.disk_usage(standing_folder(state)).free


def write_fault(state: Path) -> str | None:
    """Why nothing can be written to ``state``; None if it can. It is tried, so that quotas and limits count."""
    probe = state / PROBE
    try:
        try:
            with open(probe, "wb") as file:
                file.write(b"x" * PROBE_BYTES)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return f"{state} cannot be written ({error.strerror or error}); {_free(state)}"
    return None


def _free(state: Path) -> str:
    try:
        return f"{size(free_bytes(state))} are free there"
    except OSError:
        return "it is gone"


class RoomWatch:
    """Says once when the disk fills up, and once when there is room again."""

    def __init__(self, state: Path, say: Callable[[str], None]) -> None:
        self.state, self.say = state, say
        self.fault = ""
        self._little, self._next = False, 0.0

    def look(self, now: float) -> None:
        """Try the disk, if it is time."""
        if now < self._next:
            return
        self._next = now + LOOK_EVERY
        fault = write_fault(self.state)
        if fault is not None:
            if not self.fault:
                self.say(f"{fault}: until it can be, rounds fail here and the final model is not kept; make room")
            self.fault = fault
            return
        if self.fault:
            self.fault = ""
            self.say(f"{self.state} can be written again; {_free(self.state)}")
        self._look_ahead()

    def _look_ahead(self) -> None:
        try:
            free = free_bytes(self.state)
        except OSError:
            return
        if free < ENOUGH_DISK and not self._little:
            self._little = True
            self.say(f"only {size(free)} are free for {self.state}; {size(ENOUGH_DISK)} are needed")
        elif free > 1.1 * ENOUGH_DISK:
            self._little = False
