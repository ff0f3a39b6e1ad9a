"""What one message may cost a site, held while it is worked on: seconds and memory, looked at again and again."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from client_app.site_config import Limits

LOOK_EVERY = 0.2
GIB = 2**30
MACHINES_SHARE = 0.75
"""Share of the machine's memory that may be taken where the site sets no limit."""


def most_memory(limits: Limits) -> int:
    """Bytes that the working process may take."""
    if limits.max_memory is not None:
        return int(limits.max_memory * GIB)
    return int(MACHINES_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


@contextmanager
def held_to(limits: Limits, exceeded: Callable[[str], None]) -> Iterator[None]:
    """Call ``exceeded``, once and in another thread, if the block takes more than the limits; it must end the process:
    nothing else stops what is being computed.
    """
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(limits, done, exceeded), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()


def _watch(limits: Limits, done: threading.Event, exceeded: Callable[[str], None]) -> None:
    end, most = time.monotonic() + limits.max_seconds, most_memory(limits)
    while not done.wait(LOOK_EVERY):
        taken = resident_bytes()
        if time.monotonic() > end:
            exceeded(f"the work took longer than max-seconds={limits.max_seconds:g}")
            return
        if taken > most:
            exceeded(f"the work took {taken / GIB:.1f} GiB of memory, more than max-memory={most / GIB:.1f}")
            return


def resident_bytes() -> int:
    """Memory that this process has in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
