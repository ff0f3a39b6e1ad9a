"""A site's private state: concepts, prototypes, calibration. On the site's disk, atomic, versioned, never sent."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from client_app.kept import DamagedError
from client_app.kept_arrays import read_arrays, write_arrays
from common.wire.records import Records

VERSION = 2
"""1: without a checksum."""
FILE = "state.safetensors"
BEFORE = "-before"
V = TypeVar("V")
log = logging.getLogger("fedlpa.site")


class PrivateState:
    """Named arrays and JSON values of one site, in one file.

    State that belongs to other data, another model or another version of the format is discarded with a line in
    the log: it could only mislead.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Open the state below ``folder``; ``fingerprint`` identifies the data and the model it must fit."""
        self.path = folder / FILE
        self.fingerprint = fingerprint
        self.arrays: dict[str, NDArray[np.generic]] = {}
        self.values: dict[str, Any] = {}
        if self.path.exists():
            self._load()

    def _load(self) -> None:
        try:
            arrays, header = read_arrays(self.path)
        except DamagedError as error:
            log.warning("private state discarded: %s", error)
            return
        if header.get("version") != VERSION:
            log.warning("private state discarded: written by another version of the format")
        elif header.get("fingerprint") != self.fingerprint:
            log.warning("private state discarded: the data or the model has changed")
        else:
            self.arrays, self.values = arrays, header["values"]

    def update(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Set entries and write the whole state, atomically."""
        self.arrays |= {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        self.values |= values
        header = {"version": VERSION, "fingerprint": self.fingerprint, "values": self.values}
        write_arrays(self.path, self.arrays, header)

    def remember(
        self, kind: str, number: int, arrays: Mapping[str, NDArray[Any]], **values: float | Mapping[str, float]
    ) -> None:
        """Store what round ``number`` left of one ``kind``; what an earlier round left moves aside.

        Each kind is kept twice, the latest and the one before it: a server that died within a round asks for that
        round again, and a site that had already done it must find what it found the first time.
        """
        kept_arrays = {f"{kind}.{name}": array for name, array in arrays.items()}
        kept_values = {f"{kind}.{name}": value for name, value in {"round": number, **values}.items()}
        if self.values.get(f"{kind}.round", number) < number:
            kept_arrays |= {kind + BEFORE + n.removeprefix(kind): a for n, a in self._of(self.arrays, kind).items()}
            kept_values |= {kind + BEFORE + n.removeprefix(kind): v for n, v in self._of(self.values, kind).items()}
        self.update(kept_arrays, kept_values)

    def recall(self, kind: str, before_round: int) -> dict[str, NDArray[Any]] | None:
        """The arrays that the last round before ``before_round`` left of one ``kind``; None where there are none.

        Those of a later round belong to an earlier run on the same data and are ignored.
        """
        if self.values.get(f"{kind}.round") == before_round:
            kind += BEFORE
        if self.values.get(f"{kind}.round", before_round) >= before_round:
            return None
        return self.kept(kind)

    def keep(self, records: Records) -> None:
        """Store records under their names, in place of what was stored there."""
        self.update({f"{kind}.{name}": a for kind, arrays in records.items() for name, a in arrays.items()}, {})

    def kept(self, kind: str) -> dict[str, NDArray[Any]]:
        """The arrays that are stored of one ``kind``; empty where there are none."""
        return {name.removeprefix(f"{kind}."): array for name, array in self._of(self.arrays, kind).items()}

    @staticmethod
    def _of(entries: Mapping[str, V], kind: str) -> dict[str, V]:
        return {name: entry for name, entry in entries.items() if name.startswith(f"{kind}.")}
