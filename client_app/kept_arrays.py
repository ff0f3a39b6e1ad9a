"""Private arrays in one file with a checksum: written atomically, for the owner alone, never pickled."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client_app.kept import DamagedError
from common.files import write_atomically
from common.wire.records import Arrays

VALUES, SUM = "fedlpa", "sha256"


def write_arrays(path: Path, arrays: Arrays, values: Mapping[str, object]) -> None:
    """Write ``arrays`` and JSON ``values``."""
    from safetensors.numpy import save_file

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps(values)
    header = {VALUES: text, SUM: _sum(whole, text)}
    write_atomically(path, lambda temporary: save_file(whole, temporary, header), mode=0o600)


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the values in ``path``.

    Raises:
        DamagedError: the file does not hold what was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get(SUM) != _sum(arrays, header.get(VALUES, "")):
            raise DamagedError(f"{path} is damaged: its checksum does not fit")
        return arrays, dict(json.loads(header[VALUES]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from None


def _sum(arrays: Arrays, text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
