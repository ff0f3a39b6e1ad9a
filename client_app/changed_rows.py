"""How much of a site's data is new since something last left it.

Two answers, before and after one patient was added, tell about that patient whatever is averaged in each. So nothing
leaves while the difference is smaller than the policy's ``min-samples``. What is kept of the rows are keyed hashes.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client_app.kept import DamagedError
from client_app.kept_arrays import read_arrays, write_arrays
from client_app.refusal import RefusedError
from client_app.site_data import SiteData
from client_app.site_secret import site_secret

FILE = "rows.safetensors"

Parts = dict[str, NDArray[np.uint64]]
"""Sorted hashes of everything that one person could have added: ``rows``, and in graphs ``links``."""


def hashed_parts(data: SiteData, key: bytes) -> Parts:
    """Keyed hashes of 64 bits: of every sample with its label, and of every link of a graph by what it joins."""
    x = np.ascontiguousarray(data.x.numpy())
    labels = data.known_labels

    def hashed(content: bytes) -> bytes:
        return hashlib.blake2b(content, digest_size=8, key=key).digest()

    rows = np.frombuffer(b"".join(hashed(x[n].tobytes() + b"%d" % labels[n]) for n in range(len(data))), np.uint64)
    parts = {"rows": np.sort(rows)}
    links_2E = data.links
    if links_2E is not None:
        ends = np.sort(rows[links_2E], axis=0)
        joined = [hashed(ends[:, e].tobytes()) for e in range(ends.shape[1])]
        parts["links"] = np.sort(np.frombuffer(b"".join(joined), np.uint64))
    return parts


def check_changed(home: Path, data: SiteData, fewest: int) -> Parts | None:
    """Refuse to answer on data that differs from what was last answered on by less than ``fewest`` rows.

    Returns:
        the hashes of the data; None where nothing was answered on yet, and none were made.

    Raises:
        RefusedError: says by how many.
    """
    before = _read(home)
    if before is None:
        return None
    now = hashed_parts(data, site_secret(home))
    for part in ("rows", "links"):
        changed = _differing(before.get(part), now.get(part))
        if changed >= fewest:
            break
        if changed:
            raise RefusedError(
                f"{changed} {part} of the data are new or gone since something last left this site; fewer than "
                f"min-samples={fewest} could be told apart by comparing both answers: wait until {fewest} have "
                "changed, or go back to the data as it was"
            )
    return now


def remember_rows(home: Path, data: SiteData, parts: Parts | None) -> None:
    """From now on data is compared with this. ``parts``: as ``check_changed`` returned them."""
    write_arrays(home / FILE, hashed_parts(data, site_secret(home)) if parts is None else parts, {})


def _read(home: Path) -> Parts | None:
    path = home / FILE
    if not path.exists():
        return None
    try:
        return {name: array.astype(np.uint64) for name, array in read_arrays(path)[0].items()}
    except DamagedError as error:
        raise RefusedError(
            f"{error}, so nobody knows how the data differs from what was answered on; restore it, or move it away if "
            "the data is the same as then"
        ) from None


def _differing(before: NDArray[np.uint64] | None, now: NDArray[np.uint64] | None) -> int:
    """How many are new or gone, whichever are more; equal ones count as often as they occur."""
    old, new = (np.zeros(0, np.uint64) if part is None else part for part in (before, now))
    values, index = np.unique(np.concatenate([old, new]), return_inverse=True)
    counts = np.bincount(index[len(old) :], minlength=len(values)) - np.bincount(
        index[: len(old)], minlength=len(values)
    )
    return int(max(counts[counts > 0].sum(), -counts[counts < 0].sum()))
