"""``python3 -m fedlpa.liveness FILE``: whether a long-running command was well within the last minute.

``fedlpa server start`` touches a file in its state folder whenever the SuperLink answers it, a site's SuperNode
whenever the server has acknowledged its heartbeat; the containers' health checks look at it. Nothing but the standard
library is loaded: this runs twice a minute.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

FILE = "alive"
FRESH = 60.0


def touch(state: Path) -> None:
    """All is well. A disk that does not take the sign costs the sign and nothing else: it grows old."""
    touch_file(state / FILE)


def touch_file(file: Path) -> None:
    """As ``touch``, for the file itself."""
    with contextlib.suppress(OSError):
        file.touch(mode=0o600)
        os.utime(file)


def is_well(file: Path) -> bool:
    """Whether ``file`` was touched within the last minute. A time to come, left by a clock set back, does not count."""
    try:
        return abs(time.time() - file.stat().st_mtime) < FRESH
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(Path(sys.argv[1])) else 1)
