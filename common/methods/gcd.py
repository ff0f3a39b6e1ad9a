"""Baseline ``fedavg-gcd`` (METHODS 1.7): GCD's contrastive training averaged by FedAvg, then k-means with K known.

Training: Vaze et al., CVPR 2022. Clustering in one shot: Dennis, Li, Smith, "Heterogeneity for the win" (k-FED),
ICML 2021.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from common.methods.known_categories import told_categories
from common.methods.option_groups import TrainingOptions
from common.methods.plan import RoundPlan, plan_training
from common.wire.contract import Contract
from common.wire.records import CATALOGUE, PLAIN_METRICS, TRUTH, WEIGHTS, catalogue_specs, truth_specs, weight_specs

if TYPE_CHECKING:
    from common.config import RunConfig


class GCDOptions(TrainingOptions):
    """Settings of GCD; defaults as published where they carry over to small models."""

    categories: int | None = Field(None, ge=1, le=1024, description="K; unset: told from the truth (simulation only)")
    positives: Literal["neighbours", "views"] = "views"
    supervised_weight: float = Field(0.35, ge=0, le=1)
    contrastive_temperature: float = Field(1.0, gt=0, le=10)
    cross_entropy: bool = Field(False, description="there is no head to train")
    kmeans_trials: int = Field(10, ge=1, le=1000, description="starts of k-means; the tightest result stands")
    kmeans_steps: int = Field(300, ge=1, le=10_000, description="most steps of one start")
    min_support: int = Field(5, ge=1, description="centroids of fewer samples stay at the site")


def options_of(config: "RunConfig") -> GCDOptions:
    """The method's own options of a configuration."""
    assert isinstance(config.options, GCDOptions)
    return config.options


def categories_of(config: "RunConfig") -> int:
    """K.

    Raises:
        InputError: K is neither given nor known, or smaller than the number of seen classes.
    """
    return told_categories(config, options_of(config).categories)


def plan(config: "RunConfig", number: int) -> RoundPlan:
    """Preparation (vectors only), then training in every round but the last, which clusters."""
    rate = options_of(config).learning_rate
    return plan_training(number, config.rounds, prepare=config.kind == "vectors", learning_rate=rate)


def contract(config: "RunConfig") -> Contract:
    """Weights always; centroids with counts in the closing round; listed scalars."""
    from common.models import feature_width

    categories_of(config)
    optional = truth_specs(config)
    optional[CATALOGUE] = catalogue_specs(feature_width(config), len(config.seen_classes))
    return Contract(
        required={WEIGHTS: weight_specs(config, 0)},
        optional=optional,
        metrics=PLAIN_METRICS,
        at_delivery=(TRUTH,),
    )
