"""What both sides must agree on for all graph methods: shared options, the plan of a round, and the scores' record."""

from typing import TYPE_CHECKING

from pydantic import Field

from common.methods.plan import RoundPlan
from common.settings import Options
from common.wire.contract import ArraySpec, ScalarSpec
from common.wire.records import COUNT, LOSS, SECONDS, TRUTH, UNIT

if TYPE_CHECKING:
    from common.config import RunConfig

KIND = "graph"
TABLE = "vectors"
"""The kind of a run on tables: rows become a graph at the site, columns are standardised over the federation."""
COLUMNS = ("validation", "seen", "unseen_node", "missing_class", "new_client")
"""What a model is scored on (docs/evaluation.md#graph-columns); the first chooses, the others judge."""

GRAPH_METRICS: dict[str, ScalarSpec] = {
    "site": COUNT,
    "samples": COUNT,
    "labelled": COUNT,
    "seconds": SECONDS,
    "loss-total": LOSS,
    "loss-real": LOSS,
    "loss-slots": LOSS,
    "slots": COUNT,
    "validation-accuracy": UNIT,
}
"""Scalars that a client of a graph method may report."""


class GraphOptions(Options):
    """Data and local training of the graph methods."""

    partition: str = Field("", description="simulation: a folder of client<k>.npz to use instead of making one")
    knn: int = Field(10, ge=1, le=1000, description="tables: neighbours of a row in the similarity graph")
    local_epochs: int = Field(1, ge=1, le=100, description="passes over a site's training nodes in a round")
    batch_size: int = Field(64, ge=1, le=65536)
    learning_rate: float = Field(5e-4, gt=0, le=10)
    weight_decay: float = Field(5e-4, ge=0, le=1)
    dropout: float = Field(0.5, ge=0, lt=1)
    score_every: int = Field(10, ge=1, description="benchmarks: rounds between two scorings; the last always counts")


class BaselineOptions(GraphOptions):
    """Settings of the baselines: plain cross-entropy."""

    learning_rate: float = Field(1e-3, gt=0, le=10)
    proximal: float = Field(0.0, ge=0, description="FedProx: weight of the squared distance to the global model")


class FedProxOptions(BaselineOptions):
    """FedProx differs from FedAvg in this one default."""

    proximal: float = Field(0.01, ge=0, description="weight of the squared distance to the global model")


def graph_options(config: "RunConfig") -> GraphOptions:
    """The method's own options of a configuration."""
    assert isinstance(config.options, GraphOptions)
    return config.options


def baseline_options(config: "RunConfig") -> BaselineOptions:
    """The options of a graph baseline."""
    assert isinstance(config.options, BaselineOptions)
    return config.options


def plan(config: "RunConfig", number: int) -> RoundPlan:
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
        learning_rate=graph_options(config).learning_rate,
        progress=min(1.0, (number - 1) / max(1, config.rounds)),
    )


def is_scored(config: "RunConfig", plan: RoundPlan) -> bool:
    """Whether the round's incoming model is scored: in benchmarks, every so many rounds and at the end."""
    last = plan.phase == "delivery"
    return bool(config.classes) and (last or (plan.round - 1) % graph_options(config).score_every == 0)


def score_specs(config: "RunConfig", predictors: tuple[str, ...]) -> dict[str, dict[str, ArraySpec]]:
    """The benchmark's counts: ``correct`` [predictors, columns, C] and ``total`` [columns, C]."""
    if not config.classes:
        return {}
    shape = (len(COLUMNS), len(config.classes))
    most = 2.0**40
    return {
        TRUTH: {
            "correct": ArraySpec("int64", (len(predictors), *shape), low=0, high=most),
            "total": ArraySpec("int64", shape, low=0, high=most),
        }
    }


def graph_weight_specs(config: "RunConfig", cosine: bool = False) -> dict[str, ArraySpec]:
    """The declaration of the GraphSAGE's tensors."""
    from common.models.graph_sage import build_graph_sage

    network = build_graph_sage(features(config), len(config.seen_classes), config.seed, 0.0, cosine)
    return {name: ArraySpec("float32", tuple(tensor.shape)) for name, tensor in network.state_dict().items()}


def features(config: "RunConfig") -> int:
    """F, the number of node features of a resolved configuration."""
    return config.sample_shape[0] if config.sample_shape else 1
