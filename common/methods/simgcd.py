"""Baseline ``fedavg-simgcd`` (docs/evaluation.md#baselines): SimGCD's parametric head, told K, averaged by FedAvg."""

from typing import Literal

from pydantic import Field

from common.methods.discovery_common import (
    COMMON_METRICS,
    plan_of_training,
    starting_weights,
    truth_records,
    weights_record,
)
from common.methods.known_categories import KnownCategoriesOptions, number_of_categories
from common.methods.method_spec import MethodSpec
from common.methods.option_groups import AlignmentOptions
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract


class SimGCDOptions(KnownCategoriesOptions, AlignmentOptions):
    """Settings of SimGCD; defaults as published (ICCV 2023) where they carry over to small models."""

    prior: Literal["local", "uniform"] = "uniform"
    prior_weight: float = Field(1.0, ge=0)
    teacher_temperature: float = Field(0.04, gt=0, le=10)
    teacher_temperature_start: float | None = Field(0.07, gt=0, le=10)


def contract(config: RunConfig[SimGCDOptions], place: Place) -> Contract:
    """Weights, with K rows in the head, and listed scalars."""
    return Contract(
        (weights_record(config, number_of_categories(config)), *truth_records(config, place)), COMMON_METRICS
    )


SPECS = (
    MethodSpec(
        name="fedavg-simgcd",
        summary="baseline: FedAvg of SimGCD, a parametric head that is told K, uniform prior",
        options=SimGCDOptions,
        plan=plan_of_training,
        contract=contract,
        initial_weights=lambda config: starting_weights(config, number_of_categories(config)),
    ),
)
