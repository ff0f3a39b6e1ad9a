"""Baseline ``fedavg-simgcd`` (METHODS 1.7): SimGCD's parametric head, told K, averaged by FedAvg."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from common.methods.known_categories import told_categories
from common.methods.option_groups import AlignmentOptions, TrainingOptions
from common.methods.plan import RoundPlan, plan_training
from common.wire.contract import Contract
from common.wire.records import COMMON_METRICS, TRUTH, WEIGHTS, truth_specs, weight_specs

if TYPE_CHECKING:
    from common.config import RunConfig


class SimGCDOptions(TrainingOptions, AlignmentOptions):
    """Settings of SimGCD; defaults as published (ICCV 2023) where they carry over to small models."""

    categories: int | None = Field(None, ge=1, le=1024, description="K; unset: told from the truth (simulation only)")
    positives: Literal["neighbours", "views"] = "views"
    supervised_weight: float = Field(0.35, ge=0, le=1)
    contrastive_temperature: float = Field(1.0, gt=0, le=10)
    prior: Literal["local", "uniform"] = "uniform"
    prior_weight: float = Field(1.0, ge=0)
    teacher_temperature: float = Field(0.04, gt=0, le=10)
    teacher_temperature_start: float | None = Field(0.07, gt=0, le=10)


def options_of(config: "RunConfig") -> SimGCDOptions:
    """The method's own options of a configuration."""
    assert isinstance(config.options, SimGCDOptions)
    return config.options


def head_rows(config: "RunConfig") -> int:
    """K, the rows of the head: as configured, or the true number where a simulation knows it.

    Raises:
        InputError: K is neither given nor known, or smaller than the number of seen classes.
    """
    return told_categories(config, options_of(config).categories)


def plan(config: "RunConfig", number: int) -> RoundPlan:
    """Preparation (vectors only), then training in every round but the last, which scores."""
    rate = options_of(config).learning_rate
    return plan_training(number, config.rounds, prepare=config.kind == "vectors", learning_rate=rate)


def contract(config: "RunConfig") -> Contract:
    """Weights and listed scalars."""
    return Contract(
        required={WEIGHTS: weight_specs(config, head_rows(config))},
        optional=truth_specs(config),
        metrics=COMMON_METRICS,
        at_delivery=(TRUTH,),
    )
