"""Graph baselines ``graph-fedavg`` and ``graph-fedprox``: FedAvg and FedProx of the same GraphSAGE."""

from pydantic import Field

from common.methods.graph_common import GRAPH_METRICS, graph_method, graph_weights_record, score_records, starting_sage
from common.methods.graph_local import BaselineOptions
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import Contract

AVERAGED = ("averaged", "before-averaging")
"""FedAvg is scored twice: the averaged model, and each site's before averaging (the published protocol)."""


class FedProxOptions(BaselineOptions):
    """FedProx differs from FedAvg in this one default."""

    proximal: float = Field(0.01, ge=0, description="weight of the squared distance to the global model")


def contract(config: RunConfig[BaselineOptions], place: Place) -> Contract:
    """Weights and listed scalars."""
    return Contract((graph_weights_record(config), *score_records(config, place, AVERAGED)), GRAPH_METRICS)


SPECS = (
    graph_method(
        "graph-fedavg",
        "graph baseline: FedAvg of a GraphSAGE, scored before and after averaging",
        BaselineOptions,
        contract,
        rounds=100,
        initial_weights=starting_sage,
    ),
    graph_method(
        "graph-fedprox",
        "graph baseline: FedProx of a GraphSAGE, scored as graph-fedavg is",
        FedProxOptions,
        contract,
        rounds=100,
        initial_weights=starting_sage,
    ),
)
