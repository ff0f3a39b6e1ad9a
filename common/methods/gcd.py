"""Baseline ``fedavg-gcd`` (docs/evaluation.md#baselines): GCD's contrastive training by FedAvg, then k-means with K.

Training: Vaze et al., arXiv 2201.02609. Clustering in one shot: Dennis, Li, Smith, "Heterogeneity for the win" (k-FED),
arXiv 2103.00697.
"""

from typing import Literal

from pydantic import Field

from common.methods.discovery_common import (
    PLAIN_METRICS,
    catalogue_record,
    plan_of_training,
    truth_records,
    weights_record,
)
from common.methods.known_categories import told_categories
from common.methods.method_spec import MethodSpec
from common.methods.option_groups import TrainingOptions
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract


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


def categories_of(config: RunConfig[GCDOptions]) -> int:
    """K.

    Raises:
        InputError: K is neither given nor known, or smaller than the number of seen classes.
    """
    return told_categories(config, config.options.categories)


def contract(config: RunConfig[GCDOptions], place: Place) -> Contract:
    """Weights always; centroids with counts in the closing round; listed scalars."""
    categories_of(config)
    records = (weights_record(config, 0), *truth_records(config, place), catalogue_record(config))
    return Contract(records, PLAIN_METRICS)


SPECS = (
    MethodSpec(
        name="fedavg-gcd",
        summary="baseline: FedAvg of GCD's contrastive training, then one-shot federated k-means that is told K",
        options=GCDOptions,
        plan=plan_of_training,
        contract=contract,
    ),
)
