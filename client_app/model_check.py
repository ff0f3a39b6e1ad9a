"""Is the model in a message one that the approved run can have come to?

A server chooses the weights, and weights can be made to single out a person; so a site works only with a model that it
can account for. *Verified start*: what a run starts with follows from its seed, and the site computes it itself.
*Bounded drift*: a round moves the global model by a mean of the sites' updates, which is no longer than the longest of
them; so from one round to the next it may move by ``FACTOR`` times this site's own last update, and by no more.
*Moments*: a mean over sites cannot lie arbitrarily far from this site's own, and stays as it is once it was made.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client_app.bounded_mean import bounded
from client_app.kept import DamagedError
from client_app.kept_arrays import read_arrays, write_arrays
from client_app.refusal import RefusedError
from common.methods.registry import get_method
from common.settings import AnyConfig
from common.wire.records import MOMENTS, WEIGHTS, Arrays, Records

log = logging.getLogger("fedlpa.site")

FACTOR = 3.0
"""How many times longer than this site's own the longest update of all sites may be."""
GROWTH = 2.0
"""How many times longer than its first update a site's own may count: a hostile model makes long ones."""
SLACK = 1e-4
"""Share of the model's own length by which two machines' arithmetic may differ."""
SMALLEST_SHARE = 1e-4
"""Smallest share that this site can have in a mean over all sites, for the bounds of moments."""
FILE = "seen-model.safetensors"


@dataclass(frozen=True)
class Seen:
    """The last model that this site worked with: its tensors, the round; the lengths of the site's first and last
    updates, 0 where it has sent none."""

    arrays: Mapping[str, NDArray[Any]]
    round: int
    first: float = 0.0
    last: float = 0.0


def check_model(config: AnyConfig, number: int, records: Records, folder: Path, rehearse: Callable[[], float]) -> None:
    """Refuse a model of round ``number`` that the approved run ``config`` cannot have come to.

    Args:
        rehearse: the length of the update that this site's data gives in the first round that trains, from the
            verified start; asked for where the site has not sent any yet.

    Raises:
        RefusedError: the tensors are not the network's, not finite, or moved farther than updates can have moved them.
    """
    start = get_method(config.method).initial_weights(config)
    incoming = records.get(WEIGHTS)
    if incoming is None or not start:
        return
    _check_form(incoming, start)
    seen = read_seen(folder) or Seen(start, 1)
    if number < seen.round:
        raise RefusedError(f"the model of round {number} comes after that of round {seen.round}")
    trained = _trainings(config, seen.round, number)
    reference = min(seen.last, GROWTH * seen.first)
    if trained and not reference:
        log.info("this site has sent no update of this run yet; it trains once on the run's start to know their length")
        reference = rehearse()
    allowed = trained * FACTOR * reference + _central_noise(config, trained, start) + SLACK * _length(start)
    moved = distance(incoming, seen.arrays)
    if not moved <= allowed:
        where = "the start that the run's seed gives" if seen.round == 1 else f"the model of round {seen.round}"
        raise RefusedError(
            f"the model of round {number} is {moved:.3g} away from {where}; {trained} rounds of training can have "
            f"moved it by {allowed:.3g} at most, so it is not one that this run came to"
        )
    _check_kept_moments(incoming, seen.arrays, start)


def check_moments(incoming: Arrays, x_ND: NDArray[np.floating], support: int) -> None:
    """Refuse moments of the input that no mean over sites, this one among them, can have.

    With a share s of this site in the federation's variance V and mean M, s times its own variance is at most V, and
    s times the square of the distance of its own mean from M (law of total variance). Its own are those that it sends:
    of values that at least ``support`` samples have.

    Raises:
        RefusedError: names how many columns are impossible.
    """
    mean, variance = _moments(incoming)
    if mean is None or variance is None or mean.shape != x_ND.shape[1:]:
        return
    held_ND = bounded(x_ND, support)
    own_mean, own_variance = held_ND.mean(axis=0), held_ND.var(axis=0)
    tiny = 1e-9 * (1 + own_mean**2)
    narrow = variance + tiny < SMALLEST_SHARE * own_variance
    far = SMALLEST_SHARE * (mean - own_mean) ** 2 > variance + tiny
    if wrong := int((narrow | far).sum()):
        raise RefusedError(
            f"the scales of {wrong} columns in the message cannot be those of a federation that this site is part of"
        )


def remember_model(folder: Path, number: int, incoming: Arrays, sent: Arrays | None) -> None:
    """Keep the model of round ``number``, and the length of the update that this site ``sent``, if it did."""
    before = read_seen(folder)
    own = 0.0 if sent is None else distance(sent, incoming)
    first = before.first if before is not None and before.first else own
    last = own or (before.last if before is not None else 0.0)
    write_arrays(folder / FILE, incoming, {"round": number, "first": first, "last": last})


def read_seen(folder: Path) -> Seen | None:
    """The last model that this site worked with in the run of ``folder``; None before the first.

    Raises:
        RefusedError: it is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        arrays, values = read_arrays(path)
        return Seen(arrays, int(values["round"]), float(values["first"]), float(values["last"]))
    except DamagedError as error:
        raise RefusedError(
            f"{error}, so the next model cannot be compared with it; move it away and this site checks the "
            "next one against the run's start"
        ) from None


def distance(one: Arrays, other: Arrays) -> float:
    """L2 distance of all tensors together; moments of the input are no part of it."""
    return _length({name: np.subtract(one[name], other[name], dtype=np.float64) for name in _learnt(other)})


def _check_form(incoming: Arrays, start: Arrays) -> None:
    if incoming.keys() != start.keys() or any(
        incoming[name].shape != array.shape or incoming[name].dtype != array.dtype for name, array in start.items()
    ):
        raise RefusedError("the model in the message is not the approved run's: names, shapes or types differ")
    if bad := [name for name, array in incoming.items() if not np.isfinite(array).all()]:
        raise RefusedError(f"the model in the message holds values that are not finite, in {bad[0]}")


def _check_kept_moments(incoming: Arrays, before: Arrays, start: Arrays) -> None:
    for name in MOMENTS:
        if name not in start or np.array_equal(before[name], start[name]):
            continue  # not made yet when this site last looked
        if not np.allclose(incoming[name], before[name], rtol=1e-6, atol=0):
            raise RefusedError(f"the scales of the input ({name}) have changed since they were made")


def _trainings(config: AnyConfig, since: int, number: int) -> int:
    """How many of the rounds from ``since`` up to the one before ``number`` train."""
    plan = get_method(config.method).plan
    return sum(plan(config, each).train for each in range(since, number))


def _central_noise(config: AnyConfig, trained: int, start: Arrays) -> float:
    """What the approved run's central noise can have moved the model by; its length is very nearly constant."""
    norm = config.central_clip_norm
    if norm is None or not config.central_noise_multiplier:
        return 0.0
    numbers = sum(array.size for array in start.values())
    return float(1.5 * trained * config.central_noise_multiplier * norm * np.sqrt(numbers))


def _moments(incoming: Arrays) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Mean and variance of the input's columns in the message; None where the network has none, or none yet."""
    mean = incoming.get("input_mean")
    if mean is None:
        return None, None
    mean = mean.astype(np.float64)
    if "input_square" in incoming:
        square = incoming["input_square"].astype(np.float64)
        made = bool(mean.any() or (square != 1).any())
        return (mean, square - mean**2) if made else (None, None)
    scale = incoming["input_scale"].astype(np.float64)
    made = bool(mean.any() or (scale != 1).any())
    return (mean, 1 / np.maximum(scale, 1e-300) ** 2) if made else (None, None)


def _learnt(arrays: Arrays) -> list[str]:
    return [name for name in sorted(arrays) if name not in MOMENTS]


def _length(arrays: Mapping[str, NDArray[Any]]) -> float:
    return float(np.sqrt(sum(float(np.square(arrays[name], dtype=np.float64).sum()) for name in _learnt(arrays))))
