"""Clipping an update and adding Gaussian noise to arrays, for sites and for the server.

The arithmetic is Flower's own (FlatClip and the Gaussian mechanism of arXiv:1710.06963), which it keeps internal; the
results are equal bit for bit.
"""

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.wire.records import Arrays

WORDS = 16
"""How many numbers of 32 bits start the generator."""


def clip_update(after: Arrays, before: Arrays, norm: float) -> dict[str, NDArray[Any]]:
    """``after``, moved towards ``before`` until all arrays together differ from it by at most ``norm`` (L2)."""
    flat, reference = _flat(after), [np.asarray(before[name]).reshape(-1) for name in sorted(after)]
    update = [a - b for a, b in zip(flat, reference, strict=True)]
    size = float(np.sqrt(sum(np.linalg.norm(part) ** 2 for part in update)))
    if size:
        factor = min(1, norm / size)
        flat = [b + factor * part for b, part in zip(reference, update, strict=True)]
    return _like(after, flat)


def add_noise(arrays: Arrays, deviation: float, seed: Sequence[int] | None) -> dict[str, NDArray[Any]]:
    """``arrays`` with Gaussian noise of standard deviation ``deviation`` on every entry.

    Args:
        seed: None draws the generator's state from the operating system, and nobody else can know it. A seed is for
            simulations, whose results repeat: noise that can be drawn again hides nothing.
    """
    generator = np.random.RandomState(_start(seed))
    noisy = [part + generator.normal(0, deviation, part.shape).astype(part.dtype) for part in _flat(arrays)]
    return _like(arrays, noisy)


def _start(seed: Sequence[int] | None) -> NDArray[Any]:
    if seed is None:
        return np.frombuffer(secrets.token_bytes(4 * WORDS), dtype=np.uint32)
    return np.random.SeedSequence(list(seed)).generate_state(WORDS)


def _flat(arrays: Arrays) -> list[NDArray[Any]]:
    """Vectors, in the order of their names."""
    return [np.array(arrays[name]).reshape(-1) for name in sorted(arrays)]


def _like(arrays: Arrays, flat: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The changed arrays, which come in the order of their names, in the order, types and shapes of ``arrays``."""
    changed = dict(zip(sorted(arrays), flat, strict=True))
    return {name: changed[name].astype(array.dtype).reshape(array.shape) for name, array in arrays.items()}
