"""Filling a folder so that it is either there in full or not at all."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from common.errors import InputError


def build_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Call ``fill`` on a temporary folder beside ``folder``, then rename it into place.

    Raises InputError if ``folder`` exists and is not an empty folder, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is already there; name another folder, or remove it first.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
        try:
            fill(temporary)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
