"""Clipping and Gaussian noise on a site's update, by Flower's own functions, and the privacy it comes to."""

import math
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Message

from client_app.policy import Policy
from common.methods.records import WEIGHTS

DELTA = 1e-5
"""The delta that epsilon is stated for."""


def apply_noise(incoming: Message, reply: Message, policy: Policy) -> float | None:
    """Clip the update of the weights in ``reply`` to the policy's norm and add its noise, in place.

    Returns:
        the norm that the update was clipped to; None where the policy asks for nothing or no weights leave.
    """
    from flwr.supercore.differential_privacy import add_gaussian_noise_inplace, compute_clip_model_update

    record = reply.content.array_records.get(WEIGHTS)
    before = incoming.content.array_records.get(WEIGHTS)
    if policy.clip_norm is None or record is None or before is None:
        return None
    names = list(record)
    arrays = [record[name].numpy().copy() for name in names]
    dtypes = [array.dtype for array in arrays]
    reference = [before[name].numpy() for name in names]
    if any(np.any(a != b) for a, b in zip(arrays, reference, strict=True)):
        compute_clip_model_update(arrays, reference, policy.clip_norm)
    if policy.noise_multiplier:
        add_gaussian_noise_inplace(arrays, policy.noise_multiplier * policy.clip_norm)
    noisy = {name: Array(array.astype(dtype)) for name, array, dtype in zip(names, arrays, dtypes, strict=True)}
    reply.content[WEIGHTS] = ArrayRecord(noisy)
    return policy.clip_norm


def epsilon(noise_multiplier: float, rounds: int, delta: float = DELTA) -> float:
    """Epsilon of ``rounds`` noised updates of one site, exactly, for the Gaussian mechanism.

    The unit of privacy is the site's whole data set: replacing it moves a clipped update by at most twice the
    norm. Infinite without noise.

    >>> round(epsilon(20.0, 1), 2)
    0.34
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    if noise_multiplier <= 0:
        return math.inf
    if rounds == 0:
        return 0.0
    mu = 2 * math.sqrt(rounds) / noise_multiplier

    def excess(eps: float) -> float:
        tail = math.exp(min(700.0, eps + float(norm.logcdf(-mu / 2 - eps / mu))))
        return float(norm.cdf(mu / 2 - eps / mu)) - tail - delta

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high))


def count_noised(folder: Path, run: str) -> int:
    """One more noised update of ``run`` left this site; how many that makes. Kept in ``folder``."""
    import json

    from common.files import write_json

    path = folder / "privacy.json"
    try:
        spent = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        spent = {}
    spent[run] = int(spent.get(run, 0)) + 1
    write_json(path, spent)
    return int(spent[run])
