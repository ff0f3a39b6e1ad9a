"""Writing files so that a reader never sees half of one."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import InputError


def write_atomically(path: Path, write: Callable[[Path], object], mode: int = 0o644) -> None:
    """Call ``write`` on a temporary file beside ``path``, flush it to disk, then rename it into place.

    If ``write`` raises, or the process dies, an earlier ``path`` stays as it was. The file has ``mode`` from the
    moment that it has its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        os.chmod(temporary, mode)
        with open(temporary, "rb") as done:
            os.fsync(done.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write ``text`` to ``path`` atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"), mode)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; empty where there is no file.

    Raises:
        InputError: it holds something else.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); restore or remove it.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; restore or remove it.")
    return value


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON to ``path`` atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")
