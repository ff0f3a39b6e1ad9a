"""Baseline ``fedavg-gcd`` (docs/evaluation.md#baselines): GCD's contrastive training by FedAvg, then k-means with K.

Training: Vaze et al., arXiv 2201.02609. Clustering in one shot: Dennis, Li, Smith, "Heterogeneity for the win" (k-FED),
arXiv 2103.00697.
"""

from pydantic import Field

from common.methods.discovery_common import (
    PLAIN_METRICS,
    catalogue_record,
    plan_of_training,
    starting_weights,
    truth_records,
    weights_record,
)
from common.methods.known_categories import KnownCategoriesOptions, number_of_categories
from common.methods.method_spec import MethodSpec
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract


class GCDOptions(KnownCategoriesOptions):
    """Settings of GCD; defaults as published where they carry over to small models."""

    cross_entropy: bool = Field(False, description="there is no head to train")
    kmeans_trials: int = Field(10, ge=1, le=1000, description="starts of k-means; the tightest result stands")
    kmeans_steps: int = Field(300, ge=1, le=10_000, description="most steps of one start")
    min_support: int = Field(5, ge=1, description="centroids of fewer samples stay at the site")


def contract(config: RunConfig[GCDOptions], place: Place) -> Contract:
    """Weights always; centroids with counts in the closing round; listed scalars."""
    number_of_categories(config)
    records = (weights_record(config, 0), *truth_records(config, place), catalogue_record(config))
    return Contract(records, PLAIN_METRICS)


SPECS = (
    MethodSpec(
        name="fedavg-gcd",
        summary="baseline: FedAvg of GCD's contrastive training, then one-shot federated k-means that is told K",
        options=GCDOptions,
        plan=plan_of_training,
        contract=contract,
        initial_weights=lambda config: starting_weights(config, 0),
    ),
)
