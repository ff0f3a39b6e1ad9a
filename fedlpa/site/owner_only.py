"""What a site keeps is its owner's alone: files with mode 0600, folders with 0700."""

import contextlib
import os
from pathlib import Path

OTHERS = 0o077
"""The bits of everybody but the owner."""


def make_for_owner_only() -> None:
    """Whatever this process and its children make from now on, others can neither read nor write."""
    os.umask(OTHERS)


def close_to_others(folder: Path) -> None:
    """Take the others' rights on ``folder`` and all below it away: earlier versions left files that all could read.

    Links are not followed; what belongs to somebody else is left as it is.
    """
    _close(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _close(Path(parent, name))


def _close(path: Path) -> None:
    with contextlib.suppress(OSError):
        found = path.lstat()
        if found.st_mode & OTHERS and not path.is_symlink():
            path.chmod(found.st_mode & 0o700)
