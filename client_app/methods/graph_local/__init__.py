"""Baseline ``graph-local``: every site trains a GraphSAGE on its own; nothing is shared."""

from collections.abc import Mapping

from client_app.graphs.neighbourhoods import GraphTensors, all_logits
from client_app.graphs.node_data import graph_data, load_graph_data
from client_app.graphs.node_scores import count_right, is_counted
from client_app.graphs.node_training import (
    make_network,
    measure_columns,
    plain,
    site_metrics,
    site_tensors,
    train_locally,
    write_classes,
)
from client_app.graphs.own_model import recall_own, remember_own
from client_app.method import Answer, ClientMethod, Task
from common.methods.graph_local import ALONE, BaselineOptions
from common.models.graph_sage import GraphSage


def run_round(task: Task[BaselineOptions]) -> Answer:
    """Score if due, train, answer with scalars."""
    network = make_network(task, recall_own(task.state, task.plan.round))
    if task.plan.phase == "preparation":
        measure_columns(task, network)
        remember_own(task.state, network, task.plan.round)
        return Answer({}, {"samples": len(task.data)})
    return judge_and_train(task, {ALONE[0]: network})


def deliver(task: Task[BaselineOptions]) -> Answer:
    """Write the site's predictions by its own model."""
    return judge_and_write(task, {ALONE[0]: make_network(task, recall_own(task.state, task.plan.round))})


def judge_and_train(task: Task[BaselineOptions], models: Mapping[str, GraphSage], proximal: float = 0.0) -> Answer:
    """Measure the first of ``models``, count for all of them if due, then train the first and remember it."""
    graph, network = site_tensors(task), next(iter(models.values()))
    judged = _judge(task, graph, models)
    losses = train_locally(task, network, graph, proximal=proximal)
    remember_own(task.state, network, task.plan.round)
    return Answer(judged.records, {**judged.metrics, **{f"loss-{name}": losses[name] for name in ("total", "real")}})


def judge_and_write(task: Task[BaselineOptions], models: Mapping[str, GraphSage]) -> Answer:
    """Measure the first of ``models`` and write its predictions; count for all of them."""
    graph = site_tensors(task)
    write_classes(task, all_logits(next(iter(models.values())), graph))
    return _judge(task, graph, models)


def _judge(task: Task[BaselineOptions], graph: GraphTensors, models: Mapping[str, GraphSage]) -> Answer:
    scores_NC = all_logits(next(iter(models.values())), graph)
    records = count_right(task, {name: plain(model) for name, model in models.items()}) if is_counted(task) else {}
    return Answer(records, site_metrics(graph_data(task), scores_NC))


METHOD = ClientMethod(run_round, deliver, load_graph_data)
