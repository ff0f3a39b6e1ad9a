"""Baselines ``graph-fedavg`` and ``graph-fedprox``: a GraphSAGE averaged over sites, scored before and after it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from client_app.graphs.neighbourhoods import GraphTensors, all_logits
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
from client_app.graphs.own_model import recall_own, remember_own, tensors_of
from client_app.method import Answer, ClientMethod, Task
from common.methods.graph_common import is_scored
from common.methods.graph_fedavg import AVERAGED
from common.methods.graph_local import BaselineOptions
from common.models.graph_sage import GraphSage
from common.wire.records import TRUTH, WEIGHTS, Metric


def run_round(task: Task[BaselineOptions]) -> Answer:
    """Score the incoming model and the one of before averaging, train, answer with weights."""
    graph = site_tensors(task)
    network = make_network(task, task.records[WEIGHTS])
    if task.plan.phase == "preparation":
        measure_columns(network, graph_data(task))
        return Answer({WEIGHTS: tensors_of(network)}, {"samples": len(task.data)})
    records, metrics = _judge(task, network, graph)
    losses = train_locally(task, network, graph, proximal=task.config.options.proximal)
    metrics |= {f"loss-{name}": losses[name] for name in ("total", "real")}
    remember_own(task.state, network, task.plan.round)
    return Answer({WEIGHTS: tensors_of(network), **records}, metrics)


def deliver(task: Task[BaselineOptions]) -> Answer:
    """Write the site's predictions by the averaged model."""
    graph = site_tensors(task)
    network = make_network(task, task.records[WEIGHTS])
    records, metrics = _judge(task, network, graph)
    write_classes(task, all_logits(network, graph))
    return Answer(records, metrics)


def _judge(
    task: Task[BaselineOptions], network: GraphSage, graph: GraphTensors
) -> tuple[dict[str, Mapping[str, NDArray[np.int64]]], dict[str, Metric]]:
    data = graph_data(task)
    metrics: dict[str, Metric] = {"samples": len(data)}
    accuracy = validation_accuracy(data, all_logits(network, graph))
    if accuracy is not None:
        metrics["validation-accuracy"] = accuracy
    records: dict[str, Mapping[str, NDArray[np.int64]]] = {}
    if is_scored(task.config, task.plan) and data.benchmark is not None:
        before = make_network(task, recall_own(task.state, task.plan.round) or task.records[WEIGHTS])
        judged = dict(zip(AVERAGED, (plain(network), plain(before)), strict=True))
        records[TRUTH] = score_predictors(data, judged, len(task.config.seen_classes), str(graph.x_NF.device))
    return records, metrics


METHOD = ClientMethod(run_round, deliver, load_graph_data)
