"""Baselines ``graph-fedavg`` and ``graph-fedprox``: a GraphSAGE averaged over sites, scored before and after it."""

from client_app.graphs.node_data import load_graph_data
from client_app.graphs.node_training import make_network, measure_columns
from client_app.graphs.own_model import recall_own, tensors_of
from client_app.method import Answer, ClientMethod, Task
from client_app.methods.graph_local import judge_and_train, judge_and_write
from common.methods.graph_fedavg import AVERAGED
from common.methods.graph_local import BaselineOptions
from common.models.graph_sage import GraphSage
from common.wire.records import WEIGHTS


def run_round(task: Task[BaselineOptions]) -> Answer:
    """Score the incoming model and the one of before averaging, train, answer with weights."""
    models = _models(task)
    network = models[AVERAGED[0]]
    if task.plan.phase == "preparation":
        measure_columns(task, network)
        return Answer({WEIGHTS: tensors_of(network)}, {"samples": len(task.data)})
    answer = judge_and_train(task, models, task.config.options.proximal)
    return Answer({WEIGHTS: tensors_of(network), **answer.records}, answer.metrics)


def deliver(task: Task[BaselineOptions]) -> Answer:
    """Write the site's predictions by the averaged model."""
    return judge_and_write(task, _models(task))


def _models(task: Task[BaselineOptions]) -> dict[str, GraphSage]:
    """The incoming model, and what this site made of the one before it, by the names they are scored under."""
    averaged = task.records[WEIGHTS]
    weights = (averaged, recall_own(task.state, task.plan.round) or averaged)
    return {name: make_network(task, tensors) for name, tensors in zip(AVERAGED, weights, strict=True)}


METHOD = ClientMethod(run_round, deliver, load_graph_data)
