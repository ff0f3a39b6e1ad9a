"""FedLoG's predictions at a site: averaged and own model, under a prior (docs/fedlog.md#node-predictions)."""

import torch
from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors, all_logits
from client_app.graphs.node_data import graph_data
from client_app.graphs.node_scores import NEW, WHOLE, Predictor
from client_app.graphs.node_training import plain
from client_app.method import Task
from client_app.methods.fedlog.gate import FLOOR, gated_log_prior, home_prior
from client_app.methods.fedlog.neighbour_prior import with_neighbours
from common.methods.fedlog.spec import FedLoGOptions
from common.models.graph_sage import GraphSage


def predictors(task: Task[FedLoGOptions], averaged: GraphSage, own: GraphSage | None) -> dict[str, Predictor]:
    """By the names of ``PREDICTORS``; without an own model the averaged one stands for it."""
    return {
        "personal": personal(task, averaged, own),
        "averaged": plain(averaged),
        "own": plain(own if own is not None else averaged),
    }


def personal(task: Task[FedLoGOptions], averaged: GraphSage, own: GraphSage | None) -> Predictor:
    """Mean of the two models' log probabilities, plus the log prior; with ``neighbour-prior``, refined by neighbours.

    The held-out institution's nodes have a uniform prior and no labels: nothing is known of them.
    """
    options, data = task.config.options, graph_data(task)
    nodes, labels = data.train_nodes, data.train_labels

    def predict(graph: GraphTensors, where: str) -> Tensor:
        scores = torch.log_softmax(all_logits(averaged, graph), dim=1)
        if own is not None:
            scores = (scores + torch.log_softmax(all_logits(own, graph), dim=1)) / 2
        log_prior = _log_prior(task, graph, where, scores)
        if options.neighbour_prior is None:
            return scores + log_prior
        if where == NEW:
            return with_neighbours(graph, scores, log_prior, options.neighbour_prior)
        known = (nodes.to(scores.device), labels.to(scores.device))
        return with_neighbours(graph, scores, log_prior, options.neighbour_prior, *known)

    return predict


def _log_prior(task: Task[FedLoGOptions], graph: GraphTensors, where: str, scores_NC: Tensor) -> Tensor:
    """[n, C], up to a constant a node."""
    options, data = task.config.options, graph_data(task)
    if not options.gate or where == NEW:
        return torch.zeros_like(scores_NC)
    counts_C = torch.from_numpy(data.train_counts(scores_NC.shape[1])).to(scores_NC.device)
    if where == WHOLE:
        seen = torch.arange(len(graph), device=scores_NC.device) < len(data)
        return gated_log_prior(graph, seen, counts_C, options.gate_shift)
    return torch.log(home_prior(counts_C) + FLOOR).expand_as(scores_NC)
