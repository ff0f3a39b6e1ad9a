"""Results of the graph methods (docs/evaluation.md#graph-columns)."""

from collections.abc import Mapping
from typing import Any

from common.config import RunConfig
from common.methods.graph_common import COLUMNS
from common.run.model_files import Model
from common.wire.records import TRUTH
from server_app.graph_scores import all_scores
from server_app.method import Reply, ServerMethod
from server_app.methods.graph_baselines import GraphServer


def final_model(config: RunConfig, method: ServerMethod) -> Model:
    """The averaged weights and, under their own names, what else a joining institution needs."""
    assert isinstance(method, GraphServer)
    return Model(config, {**method.weights(), **method.beside_the_model()}, None)


def delivery_scores(config: RunConfig, method: ServerMethod, replies: Mapping[str, Reply]) -> dict[str, Any]:
    """Scores of the final models; empty outside benchmarks."""
    assert isinstance(method, GraphServer)
    counts = {site: reply.records[TRUTH] for site, reply in replies.items() if TRUTH in reply.records}
    return all_scores(counts, method.predictors, config) if counts else {}


def final_scores(config: RunConfig, history: list[dict[str, Any]], delivered: dict[str, Any]) -> dict[str, Any]:
    """``final`` of ``metrics.json``: columns (docs/evaluation.md#graph-columns), also by model, site and class."""
    nothing: dict[str, Any] = dict.fromkeys(COLUMNS)
    return {**nothing, **delivered, "categories": history[-1]["categories"]}
