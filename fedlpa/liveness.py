"""``python3 -m fedlpa.liveness FILE``: whether a long-running command was well within the last minute.

``fedlpa server start`` touches a file in its state folder whenever the SuperLink answers it, a site's SuperNode
whenever the server has acknowledged its heartbeat; the containers' health checks look at it. Nothing but the standard
library is loaded: this runs twice a minute.
"""

import sys
import time
from pathlib import Path

FILE = "alive"
FRESH = 60.0


def touch(state: Path) -> None:
    """All is well."""
    (state / FILE).touch()


def is_well(file: Path) -> bool:
    """Whether ``file`` was touched within the last minute."""
    try:
        return time.time() - file.stat().st_mtime < FRESH
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(Path(sys.argv[1])) else 1)
