"""The checkpoint of a run: everything its server needs to go on after a round, in one atomic file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, RunFailedError
from common.files import write_atomically

SCHEMA = 2
"""1: before every method's weights stood under ``weights/``."""


@dataclass(frozen=True)
class Snapshot:
    """A method's whole state at the server: named arrays and JSON values."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays whose names start with ``prefix``, without it."""
        return {name.removeprefix(prefix): value for name, value in self.arrays.items() if name.startswith(prefix)}


def write_checkpoint(path: Path, number: int, snapshot: Snapshot) -> None:
    """Everything needed to go on after round ``number``.

    Raises:
        RunFailedError: it holds values that are not finite; the checkpoint before it stays.
    """
    from safetensors.numpy import save_file

    for name, array in snapshot.arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RunFailedError(
                f"after round {number} '{name}' holds values that are not finite, so the run ends here; {path} is the "
                "state before that round."
            )

    header = json.dumps({"schema": SCHEMA, "round": number, "values": snapshot.values})
    arrays = {name: np.ascontiguousarray(array) for name, array in snapshot.arrays.items()}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, {"fedlpa": header}))


def read_checkpoint(path: Path) -> tuple[int, Snapshot]:
    """The last complete round and the state after it.

    Raises:
        InputError: the checkpoint is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["fedlpa"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["schema"] != SCHEMA:
            raise ValueError(f"it was written by another version, schema {header['schema']}")
        if bad := [n for n, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]:
            raise ValueError(f"'{bad[0]}' holds values that are not finite")
        return int(header["round"]), Snapshot(arrays, header["values"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read ({error}); restore it or start again with --overwrite.") from None
