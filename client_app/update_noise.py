"""Clipping and Gaussian noise on a site's update before it leaves, and the account of the privacy spent by it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flwr.app import Array, ArrayRecord, Message

from common.files import write_json
from common.privacy.accountant import epsilon_of, spent
from common.privacy.mechanism import add_noise, clip_update
from common.wire.records import WEIGHTS

ACCOUNT = "privacy.json"
"""What every run has spent, in the site's state folder."""


@dataclass(frozen=True)
class Noise:
    """L2 norm to clip to, and the standard deviation of the noise in units of it.

    ``seed`` is for simulations; None draws noise that nobody can draw again.
    """

    clip_norm: float
    multiplier: float
    seed: Sequence[int] | None = None


def apply_noise(incoming: Message, reply: Message, noise: Noise) -> bool:
    """Clip the update of the weights in ``reply`` and add noise to it, in place; whether weights leave at all."""
    record = reply.content.array_records.get(WEIGHTS)
    before = incoming.content.array_records.get(WEIGHTS)
    if record is None or before is None:
        return False
    arrays = {name: array.numpy() for name, array in record.items()}
    arrays = clip_update(arrays, {name: array.numpy() for name, array in before.items()}, noise.clip_norm)
    if noise.multiplier:
        arrays = add_noise(arrays, noise.multiplier * noise.clip_norm, noise.seed)
    reply.content[WEIGHTS] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return True


@dataclass(frozen=True)
class Spent:
    """Noised updates of one run, the epsilon they come to, and the epsilon of all runs of this site together."""

    updates: int
    epsilon: float
    epsilon_of_all: float


def count_noised(folder: Path, run: str, multiplier: float) -> Spent:
    """One more noised update of ``run`` left this site; what that makes. Kept in ``folder``."""
    path = folder / ACCOUNT
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError, TypeError):
        runs = {}
    entry = runs.setdefault(run, {"updates": 0, "mu-squared": 0.0})
    entry["updates"] += 1
    entry["mu-squared"] += spent(multiplier)
    write_json(path, {"runs": runs})
    total = sum(each["mu-squared"] for each in runs.values())
    return Spent(entry["updates"], epsilon_of(entry["mu-squared"]), epsilon_of(total))
