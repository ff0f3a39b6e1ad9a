"""What both sides must agree on for FedLoG as published: options, rounds, wire (docs/fedlog.md#the-published-form)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from common.errors import InputError
from common.methods import graph_common as graph
from common.methods.graph_common import GRAPH_METRICS, TABLE, GraphOptions, features, score_specs
from common.methods.plan import RoundPlan, cosine
from common.wire.contract import ArraySpec, Contract
from common.wire.records import COUNT, TRUTH, WEIGHTS

if TYPE_CHECKING:
    from common.config import RunConfig
    from common.models.prototype_sage import PrototypeSage

PREDICTORS = ("averaged", "before-averaging")
SYNTHETIC = "synthetic"
"""Record of the head branch's synthetic nodes: ``x`` float32 [C, s, F]. Down: the federation's."""
CLASS_COUNTS = "class-counts"
"""Record of the labelled training nodes of every class: ``counts`` int64 [C]; the class rates come from them."""
GENERATOR = "generator"
"""Record of a site's neighbour generator, float16. Down: ``generators``, each tensor with a leading dimension C."""
GENERATORS = "generators"


class PublishedOptions(GraphOptions):
    """Settings of FedLoG as published; every part has a switch."""

    learning_rate: float = Field(1e-3, gt=0, le=10, description="peak; cosine over the rounds")
    synthetic_learning_rate: float = Field(1e-2, gt=0, le=10, description="peak, of the synthetic nodes' own Adam")
    slots_per_class: int = Field(20, ge=1, le=1000, description="s, synthetic nodes of a class and branch")
    norm_weight: float = Field(1.0, ge=0, description="weight of the synthetic nodes' mean norm in the loss")
    synthetic_weight: float = Field(1.0, ge=0, description="weight of the federation's synthetic nodes; 0: not used")
    tail_branch: bool = Field(True, description="a second branch for nodes with few neighbours")
    metric: bool = Field(True, description="metric networks; false: distances after the layer norm alone")
    scaling: bool = Field(True, description="feature scaling: classes that are learnt are made harder")
    prompts: bool = Field(True, description="synthetic nodes get a generated neighbour; takes round 1")
    generator_epochs: int = Field(20, ge=1, le=1000, description="passes over a site's nodes, once, in round 1")
    generator_learning_rate: float = Field(1e-3, gt=0, le=10)
    pretrain_epochs: int = Field(100, ge=0, le=10000, description="at most; ends early by validation; 0: none")
    min_group: int = Field(3, ge=1, description="a class with fewer labelled nodes sends no synthetic nodes")
    slot_clip: float | None = Field(None, gt=0, description="L2 norm that a synthetic node is clipped to when sent")
    slot_noise: float = Field(0.0, ge=0, description="standard deviation of noise on every number of one, when sent")


def options_of(config: "RunConfig") -> PublishedOptions:
    """The method's own options of a configuration."""
    assert isinstance(config.options, PublishedOptions)
    return config.options


def uses_prompts(config: "RunConfig") -> bool:
    """Whether round 1 trains neighbour generators; one round alone has no use for them."""
    return options_of(config).prompts and config.rounds > 1


def first_training_round(config: "RunConfig") -> int:
    """The round that pre-trains."""
    return 2 if uses_prompts(config) else 1


def plan(config: "RunConfig", number: int) -> RoundPlan:
    """With prompts round 1 trains generators only, which alone are nearly as large as all else together."""
    base, first = graph.plan(config, number), first_training_round(config)
    if number < first:
        return replace(base, phase="preparation", train=False)
    return replace(
        base, learning_rate=cosine(number - first, config.rounds + 1 - first, options_of(config).learning_rate)
    )


def contract(config: "RunConfig") -> Contract:
    """Class counts and listed scalars always; in round 1 the generator; later weights and condensed nodes.

    Raises:
        InputError: a table; its columns have no common scale before the first round.
    """
    if config.kind == TABLE:
        raise InputError("fedlog-published works on graphs; use --method fedlog for tables.")
    options, width, classes = options_of(config), features(config), len(config.seen_classes)
    optional: dict[str, Mapping[str, ArraySpec]] = dict(score_specs(config, PREDICTORS))
    optional[CLASS_COUNTS] = {"counts": ArraySpec("int64", (classes,), low=0, high=2**40)}
    optional[WEIGHTS] = {
        name: ArraySpec("float32", tuple(tensor.shape)) for name, tensor in build_network(config).state_dict().items()
    }
    if options.synthetic_weight:
        optional[SYNTHETIC] = {"x": ArraySpec("float32", (classes, options.slots_per_class, width))}
    if uses_prompts(config):
        optional[GENERATOR] = generator_specs(width)
    return Contract(
        required={},
        optional=optional,
        metrics={**GRAPH_METRICS, "generators": COUNT},
        at_delivery=(TRUTH,),
    )


def generator_specs(width: int) -> dict[str, ArraySpec]:
    """The declaration of a neighbour generator's tensors."""
    from common.models.neighbour_generator import NeighbourGenerator

    return {
        name: ArraySpec("float16", tuple(tensor.shape))
        for name, tensor in NeighbourGenerator(width).state_dict().items()
    }


def build_network(config: "RunConfig") -> "PrototypeSage":
    """The run's network as every site starts with it."""
    from common.models.prototype_sage import build_prototype_sage

    options = options_of(config)
    return build_prototype_sage(features(config), config.seed, options.dropout, options.tail_branch, options.metric)
