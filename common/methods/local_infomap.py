"""Baseline ``local-infomap`` (docs/evaluation.md#baselines): each site clusters its own inputs; nothing is trained."""

from typing import TYPE_CHECKING

from common.methods.option_groups import DiscoveryOptions
from common.methods.plan import RoundPlan
from common.wire.contract import Contract
from common.wire.records import COMMON_METRICS, truth_specs

if TYPE_CHECKING:
    from common.config import RunConfig


class LocalInfomapOptions(DiscoveryOptions):
    """Settings of the discovery; the features are the raw inputs, standardised at the site."""


def options_of(config: "RunConfig") -> LocalInfomapOptions:
    """The method's own options of a configuration."""
    assert isinstance(config.options, LocalInfomapOptions)
    return config.options


def plan(config: "RunConfig", number: int) -> RoundPlan:
    """One round, the closing discovery."""
    return RoundPlan(
        round=number,
        rounds=1,
        phase="closing",
        train=False,
        calibrate=False,
        discover=True,
        learning_rate=0.0,
        progress=1.0,
    )


def contract(config: "RunConfig") -> Contract:
    """Scalars, and the benchmark's counts; no array of the site's own."""
    return Contract(required={}, optional=truth_specs(config), metrics=COMMON_METRICS)
