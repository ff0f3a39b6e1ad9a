"""Baseline ``local-only`` (docs/evaluation.md#baselines): FedLPA's discovery and training, no exchange."""

from typing import TYPE_CHECKING

from pydantic import Field

from common.methods import fedlpa
from common.methods.option_groups import AlignmentOptions, DiscoveryOptions, PhaseOptions, TrainingOptions
from common.methods.plan import RoundPlan
from common.wire.contract import Contract
from common.wire.records import PLAIN_METRICS, TRUTH, truth_specs

if TYPE_CHECKING:
    from common.config import RunConfig


class LocalOnlyOptions(TrainingOptions, PhaseOptions, DiscoveryOptions, AlignmentOptions):
    """FedLPA's settings without those of its exchange."""

    rediscover_every: int = Field(5, ge=1, description="R: rounds between discoveries")


def options_of(config: "RunConfig") -> LocalOnlyOptions:
    """The method's own options of a configuration."""
    assert isinstance(config.options, LocalOnlyOptions)
    return config.options


def as_fedlpa(config: "RunConfig") -> "RunConfig":
    """The FedLPA configuration that a site works by on its own: the same settings, nothing shared."""
    return config.but(method="fedlpa", share_categories=False)


def plan(config: "RunConfig", number: int) -> RoundPlan:
    """FedLPA's rounds, so that every site trains as long as it would in the federation."""
    return fedlpa.plan(as_fedlpa(config), number)


def contract(config: "RunConfig") -> Contract:
    """Scalars, and the benchmark's counts; no weight, no row, no calibration curve."""
    return Contract(
        required={},
        optional=truth_specs(config),
        metrics=PLAIN_METRICS,
        at_delivery=(TRUTH,),
    )
