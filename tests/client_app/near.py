"""Is a mean that left a site the bounded mean of its samples, with noise of the size it should have?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from client_app.bounded_mean import NOISE, bounded


def assert_noisy_mean(found: NDArray[Any], x_ND: NDArray[Any], support: int = 5, noise: float = NOISE) -> None:
    """``found`` is within 5 standard deviations of the noise, and not the mean itself."""
    held = bounded(x_ND, support)
    deviation = noise * held.std(axis=0) / np.sqrt(len(held))
    off = np.abs(np.asarray(found, np.float64) - held.mean(axis=0))
    assert (off <= 5 * deviation + 1e-6).all()
    assert (off[deviation > 1e-6] > 1e-9).any()
