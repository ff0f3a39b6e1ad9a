"""Means that say what many samples have in common, and nothing that hangs on a few of them.

A server chooses the network, so the mean of a feature over a site's samples is the mean of a function that the server
chose: one that is zero but for one person gives that person away, whatever the number of samples. Here (1) in every
coordinate a sample counts at most as far from the median as ``support`` samples lie, and (2) noise of ``NOISE`` times
the mean's own sampling error is added: digits beyond it say more about who is there than about what is common.
"""

import numpy as np
from numpy.typing import NDArray

FEWEST = 5
"""Samples without which no mean leaves a site, whatever its policy says."""
NOISE = 2.0
"""Standard deviation of the noise, in standard errors of the mean."""
EVERY_ROUND = 6.0
"""The same for a mean that leaves in every round: what is asked again and again is told with more noise."""


def bounded(x_ND: NDArray[np.floating], support: int) -> NDArray[np.float64]:
    """``[n, d]`` samples, each coordinate no farther from its median than the ``support``-th farthest sample is.

    What fewer than ``support`` samples have, none has afterwards.

    >>> bounded(np.array([[0.0], [0.0], [0.0], [0.0], [9.0]]), support=2).ravel().tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    wide = x_ND.astype(np.float64)
    centre_D = np.median(wide, axis=0)
    from_centre = wide - centre_D
    place = max(0, len(wide) - support)
    reach_D = np.partition(np.abs(from_centre), place, axis=0)[place]
    return centre_D + np.clip(from_centre, -reach_D, reach_D)


def bounded_mean(
    x_ND: NDArray[np.floating], support: int, generator: np.random.Generator, noise: float = NOISE
) -> NDArray[np.float64]:
    """The mean ``[d]`` of at least ``support`` samples ``[n, d]``, bounded and with noise.

    Raises:
        ValueError: fewer samples than ``support``.
    """
    if len(x_ND) < support:
        raise ValueError(f"{len(x_ND)} samples are fewer than {support}")
    held_ND = bounded(x_ND, support)
    error_D = held_ND.std(axis=0) / np.sqrt(len(held_ND))
    mean: NDArray[np.float64] = held_ND.mean(axis=0) + generator.normal(size=held_ND.shape[1]) * noise * error_D
    return mean


def bounded_moments(
    x_ND: NDArray[np.floating], support: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance ``[d]`` of at least ``support`` samples, bounded and with noise; no variance is negative.

    The noise on a variance has ``NOISE`` times its standard error for normal samples, sqrt(2 / n) of it.
    """
    mean_D = bounded_mean(x_ND, support, generator)
    variance_D = bounded(x_ND, support).var(axis=0)
    factor_D = np.exp(generator.normal(size=len(variance_D)) * NOISE * np.sqrt(2 / len(x_ND)))
    return mean_D, variance_D * factor_D
