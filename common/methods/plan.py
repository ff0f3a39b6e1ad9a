"""Which round does what. Both sides compute the same plan from the configuration and the round number."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from common.wire.contract import Contract
from common.wire.records import WEIGHTS

Phase = Literal["preparation", "warm-up", "discovery", "refinement", "closing", "head", "delivery", "training"]


@dataclass(frozen=True)
class RoundPlan:
    """What a client does in one round.

    ``calibrate`` asks for the calibration curve on the incoming weights, one round ahead of ``discover``,
    so that the server can give back the federation's curve in time without a round trip of its own.
    """

    round: int
    rounds: int
    phase: Phase
    train: bool
    calibrate: bool
    discover: bool
    learning_rate: float
    progress: float
    """Share of the training rounds that lie behind, in [0, 1]."""

    @property
    def sends_weights(self) -> bool:
        """Whether an update leaves a site; where the network trains nothing its weights need not, and may not.

        A run of a single round is the exception: its closing round measures the inputs.
        """
        return self.phase not in {"closing", "head"} or self.rounds == 1


def round_contract(contract: Contract, plan: RoundPlan) -> Contract:
    """What a reply of one round may hold: no weights where the round trains none."""
    return contract if plan.sends_weights else contract.without(WEIGHTS)


def cosine(step: int, steps: int, peak: float, floor: float = 1e-5) -> float:
    """Cosine decay from ``peak`` at step 0 to ``floor`` at step ``steps``; flat where the peak is lower still."""
    low = min(floor, peak)
    return low + (peak - low) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))


def plan_training(number: int, rounds: int, *, prepare: bool, learning_rate: float) -> RoundPlan:
    """The plan of a method without discovery: it trains in every round but the last, one cosine over all of them."""
    plan = plan_round(
        number,
        rounds,
        prepare=prepare,
        warmup_rounds=rounds,
        rediscover_every=rounds + 1,
        learning_rate=learning_rate,
        refine_learning_rate=learning_rate,
    )
    if not plan.train:
        return plan
    first = 2 if prepare and rounds >= 3 else 1
    return replace(plan, learning_rate=cosine(number - first, rounds - first, learning_rate))


def plan_round(
    number: int,
    rounds: int,
    *,
    prepare: bool,
    warmup_rounds: int | None,
    rediscover_every: int,
    learning_rate: float,
    refine_learning_rate: float,
) -> RoundPlan:
    """The plan of round ``number`` (1-based) of ``rounds``.

    Round 1 collects the input moments where ``prepare`` is set; the last round is the closing discovery,
    which trains nothing; between them come warm-up and refinement, with a discovery first in refinement and
    every ``rediscover_every`` rounds after it. What follows the last round is the delivery of the model.
    """
    preparation = 1 if prepare and rounds >= 3 else 0
    training = max(0, rounds - 1 - preparation)
    warmup = min(training, round(0.6 * training) if warmup_rounds is None else warmup_rounds)

    def discovers(other: int) -> bool:
        refined = other - preparation - warmup - 1
        return other == rounds or (0 <= refined < training - warmup and refined % rediscover_every == 0)

    step = number - preparation - 1
    discover = discovers(number)
    phase: Phase
    if number >= rounds:
        phase, rate = ("closing" if number == rounds else "delivery"), 0.0
    elif step < 0:
        phase, rate = "preparation", 0.0
    elif step < warmup:
        phase, rate = "warm-up", cosine(step, 2 * warmup, learning_rate)
    else:
        phase = "discovery" if discover else "refinement"
        rate = cosine(step - warmup, training - warmup, refine_learning_rate)
    return RoundPlan(
        round=number,
        rounds=rounds,
        phase=phase,
        train=0 <= step < training,
        calibrate=number < rounds and discovers(number + 1) and phase != "preparation",
        discover=discover,
        learning_rate=rate,
        progress=min(1.0, max(0.0, step / max(1, training))),
    )
