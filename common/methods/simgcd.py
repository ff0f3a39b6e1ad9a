"""Baseline ``fedavg-simgcd`` (docs/evaluation.md#baselines): SimGCD's parametric head, told K, averaged by FedAvg."""

from typing import Literal

from pydantic import Field

from common.methods.discovery_common import COMMON_METRICS, plan_of_training, truth_records, weights_record
from common.methods.known_categories import told_categories
from common.methods.method_spec import MethodSpec
from common.methods.option_groups import AlignmentOptions, TrainingOptions
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract


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


def head_rows(config: RunConfig[SimGCDOptions]) -> int:
    """K, the rows of the head: as configured, or the true number where a simulation knows it.

    Raises:
        InputError: K is neither given nor known, or smaller than the number of seen classes.
    """
    return told_categories(config, config.options.categories)


def contract(config: RunConfig[SimGCDOptions], place: Place) -> Contract:
    """Weights and listed scalars."""
    return Contract((weights_record(config, head_rows(config)), *truth_records(config, place)), COMMON_METRICS)


SPECS = (
    MethodSpec(
        name="fedavg-simgcd",
        summary="baseline: FedAvg of SimGCD, a parametric head that is told K, uniform prior",
        options=SimGCDOptions,
        plan=plan_of_training,
        contract=contract,
    ),
)
