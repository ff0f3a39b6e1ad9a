"""Results of the graph methods (METHODS 2.5)."""

from collections.abc import Mapping, Sequence

from common.config import RunConfig
from common.run.metrics import Final, GraphFinal
from common.run.model_files import Model
from common.run.record import RoundRecord
from common.wire.records import TRUTH
from server_app.graph_scores import all_scores
from server_app.method import Reply, ServerMethod
from server_app.methods.graph_baselines import GraphServer


def final_model(config: RunConfig, method: ServerMethod) -> Model:
    """The averaged weights and, under their own names, what else a joining institution needs."""
    assert isinstance(method, GraphServer)
    return Model(config, {**method.weights(), **method.beside_the_model()}, None)


def delivery_scores(config: RunConfig, method: ServerMethod, replies: Mapping[str, Reply]) -> GraphFinal | None:
    """Scores of the final models; None outside benchmarks."""
    assert isinstance(method, GraphServer)
    counts = {site: reply.records[TRUTH] for site, reply in replies.items() if TRUTH in reply.records}
    return GraphFinal(**all_scores(counts, method.predictors, config)) if counts else None


def final_scores(config: RunConfig, history: Sequence[RoundRecord], delivered: Final | None) -> GraphFinal:
    """``final`` of ``metrics.json``: the columns of METHODS 2.5, and the same by model, by site and by class."""
    scores = delivered if isinstance(delivered, GraphFinal) else GraphFinal()
    return scores.model_copy(update={"categories": history[-1].categories})
