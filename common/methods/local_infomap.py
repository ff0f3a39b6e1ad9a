"""Baseline ``local-infomap`` (docs/evaluation.md#baselines): each site clusters its own inputs; nothing is trained."""

from common.methods.discovery_common import COMMON_METRICS, truth_records
from common.methods.method_spec import MethodSpec
from common.methods.option_groups import DiscoveryOptions
from common.methods.plan import RoundPlan
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract


class LocalInfomapOptions(DiscoveryOptions):
    """Settings of the discovery; the features are the raw inputs, standardised at the site."""


def plan(config: RunConfig[LocalInfomapOptions], number: int) -> RoundPlan:
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


def contract(config: RunConfig[LocalInfomapOptions], place: Place) -> Contract:
    """Scalars, and the benchmark's counts; no array of the site's own."""
    return Contract(truth_records(config, place, at_delivery=False), COMMON_METRICS)


SPECS = (
    MethodSpec(
        name="local-infomap",
        summary="baseline: every site clusters its own inputs with Infomap; nothing is trained or shared",
        options=LocalInfomapOptions,
        plan=plan,
        contract=contract,
        rounds=lambda config: 1,
    ),
)
