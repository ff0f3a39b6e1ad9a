"""What both sides must agree on for FedLPA (METHODS 1): options, rounds, and what may leave a site."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from common.methods.option_groups import AlignmentOptions, DiscoveryOptions, PhaseOptions, TrainingOptions
from common.methods.plan import RoundPlan, plan_round
from common.wire.contract import Contract
from common.wire.records import (
    CATALOGUE,
    COMMON_METRICS,
    STATISTICS,
    TRUTH,
    WEIGHTS,
    catalogue_specs,
    statistics_specs,
    truth_specs,
    weight_specs,
)

if TYPE_CHECKING:
    from common.config import RunConfig


ROUNDS = 30
"""As many that train as the other methods have by default, and those of the category head."""


class FedLPAOptions(TrainingOptions, PhaseOptions, DiscoveryOptions, AlignmentOptions):
    """Settings of FedLPA; the defaults are the recipe of METHODS 1.8, the paper's forms are switches."""

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


def options_of(config: "RunConfig") -> FedLPAOptions:
    """The method's own options of a FedLPA configuration."""
    assert isinstance(config.options, FedLPAOptions)
    return config.options


def head_rounds_of(config: "RunConfig") -> int:
    """Rounds that train the category head.

    None where there is no catalogue, where statistics give the head, or where every site has a centre of its own.
    """
    options = options_of(config)
    if not options.share_categories or options.category_statistics or options.centre == "site":
        return 0
    return min(options.head_rounds, config.rounds // 6)


def plan(config: "RunConfig", number: int) -> RoundPlan:
    """Preparation (vectors only), warm-up, discovery and refinement, closing, head."""
    options = options_of(config)
    closing = config.rounds - head_rounds_of(config)
    found = plan_round(
        number,
        closing,
        prepare=config.kind == "vectors",
        warmup_rounds=options.warmup_rounds,
        rediscover_every=options.rediscover_every,
        learning_rate=options.learning_rate,
        refine_learning_rate=options.refine_learning_rate,
    )
    head = closing < number <= config.rounds
    return replace(found, rounds=config.rounds, phase="head" if head else found.phase)


def contract(config: "RunConfig") -> Contract:
    """Weights always; category rows with ``share-categories``; statistics with ``category-statistics``; scalars."""
    from common.models import feature_width

    optional = truth_specs(config)
    if options_of(config).share_categories:
        optional[CATALOGUE] = catalogue_specs(feature_width(config), len(config.seen_classes))
        if options_of(config).category_statistics:
            optional[STATISTICS] = statistics_specs(feature_width(config))
    return Contract(
        required={WEIGHTS: weight_specs(config, len(config.seen_classes))},
        optional=optional,
        metrics=COMMON_METRICS,
        at_delivery=(TRUTH,),
    )
