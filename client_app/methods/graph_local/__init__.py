"""Baseline ``graph-local``: every site trains a GraphSAGE on its own; nothing is shared."""

from client_app.graphs.neighbourhoods import all_logits
from client_app.graphs.node_data import load_graph_data
from client_app.graphs.node_scores import score_predictors
from client_app.graphs.node_training import (
    graph_data,
    make_network,
    measure_columns,
    plain,
    site_tensors,
    train_locally,
    validation_accuracy,
    write_classes,
)
from client_app.graphs.own_model import recall_own, remember_own
from client_app.method import Answer, ClientMethod, Task
from common.methods.graph_common import is_scored
from common.methods.graph_local import ALONE, BaselineOptions
from common.wire.records import TRUTH, Metric


def run_round(task: Task[BaselineOptions]) -> Answer:
    """Score if due, train, answer with scalars."""
    return _work(task)


def deliver(task: Task[BaselineOptions]) -> Answer:
    """Write the site's predictions by its own model."""
    return _work(task)


def _work(task: Task[BaselineOptions]) -> Answer:
    data, graph = graph_data(task), site_tensors(task)
    network = make_network(task, recall_own(task.state, task.plan.round))
    if task.plan.phase == "preparation":
        measure_columns(network, data)
        remember_own(task.state, network, task.plan.round)
        return Answer({}, {"samples": len(data)})
    metrics: dict[str, Metric] = {"samples": len(data)}
    accuracy = validation_accuracy(data, all_logits(network, graph))
    if accuracy is not None:
        metrics["validation-accuracy"] = accuracy
    records = {}
    if is_scored(task.config, task.plan) and data.benchmark is not None:
        classes = len(task.config.seen_classes)
        records[TRUTH] = score_predictors(data, {ALONE[0]: plain(network)}, classes, str(graph.x_NF.device))
    if task.plan.train:
        losses = train_locally(task, network, graph)
        metrics |= {f"loss-{name}": losses[name] for name in ("total", "real")}
        remember_own(task.state, network, task.plan.round)
    else:
        write_classes(task, all_logits(network, graph))
    return Answer(records, metrics)


METHOD = ClientMethod(run_round, deliver, load_graph_data)
