"""What both sides must agree on for FedLPA (docs/method.md): options, rounds, and what may leave a site."""

from dataclasses import replace

from pydantic import Field

from common.data.kind_registry import is_standardised
from common.methods.discovery_common import (
    COMMON_METRICS,
    catalogue_record,
    starting_weights,
    truth_records,
    weights_record,
)
from common.methods.fedlpa.statistics_record import statistics_record
from common.methods.method_spec import MethodSpec
from common.methods.option_groups import AlignmentOptions, DiscoveryOptions, PhaseOptions, TrainingOptions
from common.methods.plan import RoundPlan, plan_round
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract, Record

ROUNDS = 30
"""As many that train as the other methods have by default, and those of the category head."""
CURVE = "curve"
"""The federation's calibration curve, a value of the server's message once there is one."""


class FedLPAOptions(TrainingOptions, PhaseOptions, DiscoveryOptions, AlignmentOptions):
    """Settings of FedLPA; the paper's forms are switches (docs/method.md#recipe)."""

    rediscover_every: int = Field(5, ge=1, description="R: rounds between discoveries")
    share_categories: bool = Field(
        True, description="send category rows and train over the federation's; false: weights only"
    )
    category_statistics: bool = Field(
        False, description="send sums and one scatter matrix of categories once, for a linear head; needs consent"
    )
    head_rounds: int = Field(
        3,
        ge=0,
        le=1000,
        description="last rounds, after the closing discovery, that train the category head; at most a sixth of all",
    )
    match_threshold: float = Field(
        0.6, ge=-1, le=1, description="centred cosine above which the server joins novel rows"
    )
    borrow_threshold: float = Field(
        0.9,
        ge=-1,
        le=1,
        description="centred cosine above which an unnamed concept takes the federation's name for a seen class of "
        "which the site has no labels; 1: never",
    )


def head_rounds_of(config: RunConfig[FedLPAOptions]) -> int:
    """Rounds that train the category head.

    None where there is no catalogue, where statistics give the head, or where every site has a centre of its own.
    """
    options = config.options
    if not options.share_categories or options.category_statistics or options.centre == "site":
        return 0
    return min(options.head_rounds, config.rounds // 6)


def plan(config: RunConfig[FedLPAOptions], number: int) -> RoundPlan:
    """Preparation (vectors only), warm-up, discovery and refinement, closing, head."""
    options = config.options
    closing = config.rounds - head_rounds_of(config)
    found = plan_round(
        number,
        closing,
        prepare=is_standardised(config.kind),
        warmup_rounds=options.warmup_rounds,
        rediscover_every=options.rediscover_every,
        learning_rate=options.learning_rate,
        refine_learning_rate=options.refine_learning_rate,
    )
    head = closing < number <= config.rounds
    return replace(found, rounds=config.rounds, phase="head" if head else found.phase)


def contract(config: RunConfig[FedLPAOptions], place: Place) -> Contract:
    """Weights always; category rows with ``share-categories``; statistics with ``category-statistics``; scalars."""
    options = config.options
    records: list[Record] = [weights_record(config, len(config.seen_classes)), *truth_records(config, place)]
    if options.share_categories:
        records.append(catalogue_record(config, switch="share-categories=false"))
        if options.category_statistics:
            records.append(statistics_record(config))
    return Contract(tuple(records), COMMON_METRICS)


FEDLPA = MethodSpec(
    name="fedlpa",
    summary="FedLPA: local category discovery with Infomap and local prior alignment; K unknown",
    options=FedLPAOptions,
    plan=plan,
    contract=contract,
    initial_weights=lambda config: starting_weights(config, len(config.seen_classes)),
    defaults={"rounds": ROUNDS},
)
CENTRALISED = replace(
    FEDLPA,
    name="centralised",
    summary="baseline: FedLPA with all data in one place, the upper bound; simulation only",
    pooled=True,
)
SPECS = (FEDLPA, CENTRALISED)
