"""What both sides must agree on for all graph methods: shared options, the plan of a round, and the scores' record."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from common.data.kinds.vectors import VECTORS
from common.methods.method_spec import MethodSpec
from common.methods.plan import RoundPlan
from common.place import Place, Simulation
from common.settings import SIMULATION, AnyConfig, Options, RunConfig
from common.wire.contract import ArraySpec, Contract, Record, ScalarSpec, specs_of
from common.wire.records import COUNT, HELD_OUT, LOSS, MOST, SECONDS, SITE_NUMBER, TRUTH, WEIGHTS, Arrays

if TYPE_CHECKING:
    from common.models.graph_sage import GraphSage

TABLE = VECTORS.name
"""The kind of a run on tables: rows become a graph at the site, columns are standardised over the federation."""
COLUMNS = ("validation", "seen", "unseen_node", "missing_class", "new_client")
"""What a model is scored on (docs/evaluation.md#graph-columns); the first chooses, the others judge."""

GRAPH_METRICS: dict[str, ScalarSpec] = {
    "site": SITE_NUMBER,
    "samples": COUNT,
    "labelled": COUNT,
    "seconds": SECONDS,
    "loss-total": LOSS,
    "loss-real": LOSS,
    "loss-slots": LOSS,
    "slots": COUNT,
    "validation-accuracy": HELD_OUT,
}
"""Scalars that a client of a graph method may report."""


class GraphOptions(Options):
    """Data and local training of the graph methods."""

    partition: Annotated[str, SIMULATION] = Field(
        "", description="simulation: a folder of client<k>.npz to use instead of making one"
    )
    knn: int = Field(10, ge=1, le=1000, description="tables: neighbours of a row in the similarity graph")
    local_epochs: int = Field(1, ge=1, le=100, description="passes over a site's training nodes in a round")
    batch_size: int = Field(64, ge=1, le=65536)
    learning_rate: float = Field(5e-4, gt=0, le=10)
    weight_decay: float = Field(5e-4, ge=0, le=1)
    dropout: float = Field(0.5, ge=0, lt=1)
    score_every: Annotated[int, SIMULATION] = Field(
        10, ge=1, description="benchmarks: rounds between two scorings; the last always counts"
    )


G = TypeVar("G", bound=GraphOptions)


def plan(config: RunConfig[G], number: int) -> RoundPlan:
    """Every round trains, but round 1 of tables, which collects their moments; the delivery follows the last."""
    prepares = config.kind == TABLE and number == 1 and config.rounds > 1
    train = number <= config.rounds and not prepares
    return RoundPlan(
        round=number,
        rounds=config.rounds,
        phase="preparation" if prepares else "training" if train else "delivery",
        train=train,
        calibrate=False,
        discover=False,
        learning_rate=config.options.learning_rate,
        progress=min(1.0, (number - 1) / max(1, config.rounds)),
    )


def graph_method(
    name: str,
    summary: str,
    options: type[G],
    contract: Callable[[RunConfig[G], Place], Contract],
    rounds: int,
    plan: Callable[[RunConfig[G], int], RoundPlan] = plan,
    initial_weights: Callable[[RunConfig[G]], Arrays] = lambda config: {},
) -> MethodSpec[G]:
    """The specification of a method on graphs: they share the schedule, unless told otherwise, and the defaults."""
    return MethodSpec(
        name=name,
        summary=summary,
        options=options,
        plan=plan,
        contract=contract,
        initial_weights=initial_weights,
        defaults={"rounds": rounds, "clients": 3},
        embeds_samples=False,
    )


def is_scored(config: RunConfig[G], plan: RoundPlan) -> bool:
    """Whether a benchmark scores the round's incoming model: every so many rounds and at the end."""
    return plan.phase == "delivery" or (plan.round - 1) % config.options.score_every == 0


def score_records(config: AnyConfig, place: Place, predictors: tuple[str, ...]) -> tuple[Record, ...]:
    """The benchmark's counts: ``correct`` [predictors, columns, C] and ``total`` [columns, C]."""
    if not isinstance(place, Simulation) or not config.classes:
        return ()
    shape = (len(COLUMNS), len(config.classes))
    arrays = {
        "correct": ArraySpec("int64", (len(predictors), *shape), low=0, high=MOST),
        "total": ArraySpec("int64", shape, low=0, high=MOST),
    }
    return (Record(TRUTH, arrays, at_delivery=True, benchmark=True),)


def build_sage(config: RunConfig[G], *, cosine: bool = False) -> "GraphSage":
    """The run's GraphSAGE as every site starts with it."""
    from common.models.graph_sage import build_graph_sage

    return build_graph_sage(features(config), len(config.seen_classes), config.seed, config.options.dropout, cosine)


def starting_sage(config: RunConfig[G], *, cosine: bool = False) -> Arrays:
    """The GraphSAGE's tensors that every run of ``config`` starts with."""
    return {name: tensor.numpy() for name, tensor in build_sage(config, cosine=cosine).state_dict().items()}


def graph_weights_record(config: RunConfig[G], *, cosine: bool = False) -> Record:
    """The declaration of the GraphSAGE's tensors."""
    return Record(WEIGHTS, specs_of(build_sage(config, cosine=cosine).state_dict()), required=True)


def features(config: AnyConfig) -> int:
    """F, the number of node features of a resolved configuration."""
    return config.sample_shape[0] if config.sample_shape else 1
