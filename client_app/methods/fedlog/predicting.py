"""FedLoG's predictions at a site: the averaged and the own model together, with the gate's prior (METHODS 2.7)."""

import torch
from torch import Tensor

from client_app.graphs.gate import FLOOR, gated_log_prior, home_prior
from client_app.graphs.local import graph_data, plain
from client_app.graphs.neighbourhoods import GraphTensors, all_logits
from client_app.graphs.scores import NEW, WHOLE, Predictor
from client_app.task import Task
from common.methods.fedlog import options_of
from common.models.graph_sage import GraphSage


def predictors(task: Task, averaged: GraphSage, own: GraphSage | None) -> dict[str, Predictor]:
    """By the names of ``common.methods.fedlog.PREDICTORS``; without an own model the averaged one stands for it."""
    return {
        "personal": personal(task, averaged, own),
        "averaged": plain(averaged),
        "own": plain(own if own is not None else averaged),
    }


def personal(task: Task, averaged: GraphSage, own: GraphSage | None) -> Predictor:
    """Mean of the two models' log probabilities; with the gate, plus the log prior where nodes are the site's.

    The held-out institution's nodes get no prior: nothing is known of them.
    """
    options, data = options_of(task.config), graph_data(task)
    counts_C = torch.from_numpy(data.train_counts(len(task.config.seen_classes)))

    def predict(graph: GraphTensors, where: str) -> Tensor:
        scores = torch.log_softmax(all_logits(averaged, graph), dim=1)
        if own is not None:
            scores = (scores + torch.log_softmax(all_logits(own, graph), dim=1)) / 2
        if not options.gate or where == NEW:
            return scores
        counts = counts_C.to(scores.device)
        if where == WHOLE:
            seen = torch.arange(len(graph), device=scores.device) < len(data)
            return scores + gated_log_prior(graph, seen, counts, options.gate_shift)
        return scores + torch.log(home_prior(counts) + FLOOR)

    return predict
