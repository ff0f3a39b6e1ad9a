"""Graph baselines (docs/evaluation.md#graph-columns): each site alone, FedAvg and FedProx of the same GraphSAGE."""

from typing import TYPE_CHECKING

from common.methods.graph_common import GRAPH_METRICS, graph_weight_specs, score_specs
from common.wire.contract import Contract
from common.wire.records import TRUTH, WEIGHTS

if TYPE_CHECKING:
    from common.config import RunConfig

ALONE = ("own",)
AVERAGED = ("averaged", "before-averaging")
"""FedAvg is scored twice: the averaged model, and each site's before averaging (the published protocol)."""


def local_contract(config: "RunConfig") -> Contract:
    """Scalars, and the benchmark's counts; no weights."""
    return Contract({}, score_specs(config, ALONE), GRAPH_METRICS, at_delivery=(TRUTH,))


def averaged_contract(config: "RunConfig") -> Contract:
    """Weights and listed scalars."""
    return Contract(
        required={WEIGHTS: graph_weight_specs(config)},
        optional=score_specs(config, AVERAGED),
        metrics=GRAPH_METRICS,
        at_delivery=(TRUTH,),
    )
