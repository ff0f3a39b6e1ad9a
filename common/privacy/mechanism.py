"""Clipping an update and adding Gaussian noise to arrays, by Flower's own functions; for sites and for the server."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
WORDS = 16
"""How many numbers of 32 bits start the generator."""


def clip_update(after: Arrays, before: Arrays, norm: float) -> dict[str, NDArray[Any]]:
    """``after``, moved towards ``before`` until all arrays together differ from it by at most ``norm`` (L2)."""
    from flwr.supercore.differential_privacy import compute_clip_model_update

    flat = [np.array(after[name]).reshape(-1) for name in sorted(after)]
    reference = [np.asarray(before[name]).reshape(-1) for name in sorted(after)]
    if any(np.any(a != b) for a, b in zip(flat, reference, strict=True)):
        compute_clip_model_update(flat, reference, norm)
    return _like(after, flat)


def add_noise(arrays: Arrays, deviation: float, seed: Sequence[int] | None) -> dict[str, NDArray[Any]]:
    """``arrays`` with Gaussian noise of standard deviation ``deviation`` on every entry.

    Args:
        seed: None draws the generator's state from the operating system, and nobody else can know it. A seed is for
            simulations, whose results repeat: noise that can be drawn again hides nothing.
    """
    from flwr.supercore.differential_privacy import add_gaussian_noise_inplace

    flat = [np.array(arrays[name]).reshape(-1) for name in sorted(arrays)]
    with _generator(seed):
        add_gaussian_noise_inplace(flat, deviation)
    return _like(arrays, flat)


def _like(arrays: Arrays, flat: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The changed arrays, which come in the order of their names, in the order, types and shapes of ``arrays``."""
    changed = dict(zip(sorted(arrays), flat, strict=True))
    return {name: changed[name].astype(array.dtype).reshape(array.shape) for name, array in arrays.items()}


@contextmanager
def _generator(seed: Sequence[int] | None) -> Iterator[None]:
    """Flower draws from NumPy's global generator: start it for the time of one call."""
    if seed is None:
        words: NDArray[Any] = np.frombuffer(secrets.token_bytes(4 * WORDS), dtype=np.uint32)
    else:
        words = np.random.SeedSequence(list(seed)).generate_state(WORDS)
    before = np.random.get_state()
    np.random.seed(words)
    try:
        yield
    finally:
        np.random.set_state(before)
