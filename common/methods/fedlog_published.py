"""What both sides must agree on for FedLoG as published: options, rounds, wire (docs/fedlog.md#the-published-form)."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from common.errors import InputError
from common.methods import graph_common
from common.methods.graph_common import GRAPH_METRICS, TABLE, GraphOptions, features, graph_method, score_records
from common.methods.plan import RoundPlan, cosine
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import ArraySpec, Contract, Record, specs_of
from common.wire.records import COUNT, MOST, WEIGHTS, Arrays

if TYPE_CHECKING:
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


def uses_prompts(config: RunConfig[PublishedOptions]) -> bool:
    """Whether round 1 trains neighbour generators; one round alone has no use for them."""
    return config.options.prompts and config.rounds > 1


def first_training_round(config: RunConfig[PublishedOptions]) -> int:
    """The round that pre-trains."""
    return 2 if uses_prompts(config) else 1


def plan(config: RunConfig[PublishedOptions], number: int) -> RoundPlan:
    """With prompts round 1 trains generators only, which alone are nearly as large as all else together."""
    base, first = graph_common.plan(config, number), first_training_round(config)
    if number < first:
        return replace(base, phase="preparation", train=False)
    rate = cosine(number - first, config.rounds + 1 - first, config.options.learning_rate)
    return replace(base, learning_rate=rate)


def contract(config: RunConfig[PublishedOptions], place: Place) -> Contract:
    """Class counts and listed scalars always; in round 1 the generator; later weights and condensed nodes.

    Raises:
        InputError: a table; its columns have no common scale before the first round.
    """
    if config.kind == TABLE:
        raise InputError("fedlog-published works on graphs; use --method fedlog for tables.")
    options, width, classes = config.options, features(config), len(config.seen_classes)
    records = [
        *score_records(config, place, PREDICTORS),
        Record(CLASS_COUNTS, {"counts": ArraySpec("int64", (classes,), low=0, high=MOST)}, consent=True),
        Record(WEIGHTS, specs_of(build_network(config).state_dict())),
    ]
    if options.synthetic_weight:
        nodes = ArraySpec("float32", (classes, options.slots_per_class, width))
        records.append(Record(SYNTHETIC, {"x": nodes}, consent=True))
    if uses_prompts(config):
        from common.models.neighbour_generator import NeighbourGenerator

        records.append(Record(GENERATOR, specs_of(NeighbourGenerator(width).half().state_dict()), consent=True))
    return Contract(tuple(records), {**GRAPH_METRICS, "generators": COUNT})


def build_network(config: RunConfig[PublishedOptions]) -> "PrototypeSage":
    """The run's network as every site starts with it, by the run's seed; leaves the random state alone."""
    import torch

    from common.models.prototype_sage import PrototypeSage

    options = config.options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return PrototypeSage(features(config), options.dropout, options.tail_branch, options.metric)


def starting_weights(config: RunConfig[PublishedOptions]) -> Arrays:
    """The tensors of the network that every site starts with."""
    return {name: tensor.numpy() for name, tensor in build_network(config).state_dict().items()}


SPECS = (
    graph_method(
        "fedlog-published",
        "FedLoG as published: prototype branches, learnable synthetic nodes, neighbour generators; graphs only",
        PublishedOptions,
        contract,
        rounds=60,
        plan=plan,
        initial_weights=starting_weights,
    ),
)
