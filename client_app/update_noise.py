"""Clipping and Gaussian noise on a site's update of the weights, before it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

from flwr.app import Array, ArrayRecord, Message

from common.privacy.mechanism import add_noise, clip_update
from common.wire.records import WEIGHTS


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
