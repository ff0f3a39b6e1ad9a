"""Baseline ``local-only`` (docs/evaluation.md#baselines): FedLPA's discovery and training, no exchange."""

from pydantic import Field

from common.methods.discovery_common import PLAIN_METRICS, truth_records
from common.methods.fedlpa.spec import FEDLPA, FedLPAOptions
from common.methods.method_spec import MethodSpec
from common.methods.option_groups import AlignmentOptions, DiscoveryOptions, PhaseOptions, TrainingOptions
from common.methods.plan import RoundPlan
from common.place import Place
from common.settings import RunConfig, build_config
from common.wire.contract import Contract


class LocalOnlyOptions(TrainingOptions, PhaseOptions, DiscoveryOptions, AlignmentOptions):
    """FedLPA's settings without those of its exchange."""

    rediscover_every: int = Field(5, ge=1, description="R: rounds between discoveries")


def as_fedlpa(config: RunConfig[LocalOnlyOptions]) -> RunConfig[FedLPAOptions]:
    """The FedLPA configuration that a site works by on its own: the same settings, nothing shared."""
    return build_config(FedLPAOptions, {**config.flat(), "method": FEDLPA.name, "share-categories": False})


def plan(config: RunConfig[LocalOnlyOptions], number: int) -> RoundPlan:
    """FedLPA's rounds, so that every site trains as long as it would in the federation."""
    return FEDLPA.plan(as_fedlpa(config), number)


def contract(config: RunConfig[LocalOnlyOptions], place: Place) -> Contract:
    """Scalars, and the benchmark's counts; no weight, no row, no calibration curve."""
    return Contract(truth_records(config, place), PLAIN_METRICS)


SPECS = (
    MethodSpec(
        name="local-only",
        summary="baseline: every site discovers and trains as in FedLPA, on its own; nothing is shared",
        options=LocalOnlyOptions,
        plan=plan,
        contract=contract,
    ),
)
