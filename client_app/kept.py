"""Small private files that say how much has left a site: written atomically, with a checksum, for the owner alone."""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from common.files import write_text

K = TypeVar("K", bound="Kept")


class DamagedError(Exception):
    """The file is there and is not what was written."""


class Kept(BaseModel):
    """Base of what is kept: frozen, closed, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def write_kept(path: Path, value: Kept) -> None:
    """Write ``value`` and the checksum of it."""
    text = value.model_dump_json()
    write_text(path, json.dumps({"sha256": _sum(text), "content": text}) + "\n", 0o600)


def read_kept(path: Path, kind: type[K]) -> K | None:
    """What is kept in ``path``; None where there is no file.

    Raises:
        DamagedError: it does not hold what was written.
    """
    try:
        outer = json.loads(path.read_text(encoding="utf-8"))
        text = outer["content"]
        if outer["sha256"] != _sum(text):
            raise DamagedError(f"{path} is damaged: its checksum does not fit")
        return kind.model_validate_json(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from None


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, to a name that says so; returns that."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
