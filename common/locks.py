"""Locks on files, which the kernel forgets when their process dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError


class LockedError(InputError):
    """Another process holds the lock."""


def lock(handle: int, *, wait: bool = False) -> None:
    """Lock the open file of ``handle`` until it is closed.

    Args:
        wait: for whoever holds it; otherwise it is refused.

    Raises:
        OSError: another process holds it.
    """
    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextmanager
def hold_lock(path: Path, *, wait: bool = False, mode: int = 0o644, busy: str = "") -> Iterator[None]:
    """Hold the lock on ``path``, a file of its own, while the block runs.

    Args:
        wait: for whoever holds it; otherwise it is refused.
        busy: what the refusal says.

    Raises:
        LockedError: another process holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, mode)
    try:
        try:
            lock(handle, wait=wait)
        except OSError:
            raise LockedError(busy or str(path)) from None
        yield
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on ``path`` at this moment."""
    try:
        with hold_lock(path):
            return False
    except LockedError:
        return True
