"""The published form's predictions: the averaged model, and the site's own of before averaging."""

from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors
from client_app.graphs.node_scores import Predictor, count_right, is_counted
from client_app.method import Task
from client_app.methods.fedlog_published.branch_training import Generators, all_log_probs
from client_app.methods.fedlog_published.site_model import SiteModel, site_model
from common.methods.fedlog_published import PREDICTORS, PublishedOptions
from common.wire.records import Records


def score(task: Task[PublishedOptions], averaged: SiteModel, generators: Generators | None) -> Records:
    """The benchmark's counts where the round is scored, else nothing; both models use the site's synthetic nodes."""
    if not is_counted(task):
        return {}
    models = (averaged, site_model(task, None))
    judged = {name: _predictor(model, generators) for name, model in zip(PREDICTORS, models, strict=True)}
    return count_right(task, judged)


def _predictor(model: SiteModel, generators: Generators | None) -> Predictor:
    def predict(graph: GraphTensors, where: str) -> Tensor:
        return all_log_probs(model, graph, generators)

    return predict
