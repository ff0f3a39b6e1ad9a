"""Graph baseline ``graph-local``: every site trains a GraphSAGE on its own."""

from pydantic import Field

from common.methods.graph_common import GRAPH_METRICS, GraphOptions, graph_method, score_records
from common.place import Place
from common.settings import AnyConfig
from common.wire.contract import Contract

ALONE = ("own",)


class BaselineOptions(GraphOptions):
    """Settings of the baselines: plain cross-entropy."""

    learning_rate: float = Field(1e-3, gt=0, le=10)
    proximal: float = Field(0.0, ge=0, description="FedProx: weight of the squared distance to the global model")


def contract(config: AnyConfig, place: Place) -> Contract:
    """Scalars, and the benchmark's counts; no weights."""
    return Contract(score_records(config, place, ALONE), GRAPH_METRICS)


SPECS = (
    graph_method(
        "graph-local",
        "graph baseline: every site trains a GraphSAGE on its own; nothing is shared",
        BaselineOptions,
        contract,
        rounds=100,
    ),
)
