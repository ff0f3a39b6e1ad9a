"""The published form's predictions: the averaged model, and the site's own of before averaging."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors
from client_app.graphs.node_scores import Predictor, score_predictors
from client_app.graphs.node_training import device_of, graph_data
from client_app.method import Task
from client_app.methods.fedlog_published.branch_training import Generators, all_log_probs
from client_app.methods.fedlog_published.site_model import SiteModel, site_model
from common.methods.fedlog_published import PREDICTORS, PublishedOptions
from common.methods.graph_common import is_scored
from common.wire.records import TRUTH


def score(
    task: Task[PublishedOptions], averaged: SiteModel, generators: Generators | None
) -> dict[str, dict[str, NDArray[np.int64]]]:
    """The benchmark's counts where the round is scored, else nothing; both models use the site's synthetic nodes."""
    data = graph_data(task)
    if data.benchmark is None or not is_scored(task.config, task.plan):
        return {}
    models = (averaged, site_model(task, None))
    judged = {name: _predictor(model, generators) for name, model in zip(PREDICTORS, models, strict=True)}
    return {TRUTH: score_predictors(data, judged, len(task.config.seen_classes), device_of(task))}


def _predictor(model: SiteModel, generators: Generators | None) -> Predictor:
    def predict(graph: GraphTensors, where: str) -> Tensor:
        return all_log_probs(model, graph, generators)

    return predict
