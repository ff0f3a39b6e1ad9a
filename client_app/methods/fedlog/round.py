"""One round of FedLoG at a site: score if due, train the shared and the own model, answer."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.graphs.neighbourhoods import GraphTensors
from client_app.graphs.node_data import graph_data
from client_app.graphs.node_scores import SEEN, count_right, is_counted
from client_app.graphs.node_training import (
    make_network,
    measure_columns,
    site_metrics,
    site_tensors,
    train_locally,
)
from client_app.graphs.own_model import recall_own, remember_own, tensors_of
from client_app.method import Answer, Task
from client_app.methods.fedlog.personal import personal, predictors
from client_app.methods.fedlog.slot_training import slot_tensors, training_prior
from client_app.methods.fedlog.slots import known_slots, slots_to_send
from common.methods.fedlog.spec import WANTED, FedLoGOptions
from common.models.graph_sage import GraphSage
from common.wire.records import WEIGHTS

OWN_SEED = 7919
"""Parts the own model's batches and dropout from the shared model's."""


def run_round(task: Task[FedLoGOptions]) -> Answer:
    """Answer one train message.

    Returns:
        the trained weights; the site's slots if the server asks for them; scalars; in benchmarks, now and then, the
        counts of right predictions of the incoming model.
    """
    options, data = task.config.options, graph_data(task)
    classes = len(task.config.seen_classes)
    graph = site_tensors(task)
    network = make_network(task, task.records[WEIGHTS], options.cosine_head)
    own = None
    if options.own_model:
        own = make_network(task, recall_own(task.state, task.plan.round) or task.records[WEIGHTS], options.cosine_head)
    if task.plan.phase == "preparation":
        return _prepare(task, network, graph)
    slots = known_slots(task, graph)
    scores_NC = personal(task, network, own)(graph, SEEN)
    metrics = site_metrics(data, scores_NC, labelled=data.usable, slots=len(slots))
    records = dict(count_right(task, predictors(task, network, own))) if is_counted(task) else {}
    if options.share_slots and WANTED in task.records:
        records |= slots_to_send(task, graph).records()
    prior_C = training_prior(data.train_counts(classes))
    log_prior_C = torch.tensor(options.tau * np.log(prior_C), dtype=torch.float32)
    for model, seed in ((network, 0), (own, OWN_SEED)):
        if model is not None:
            losses = train_locally(
                task,
                model,
                graph,
                slots=slot_tensors(slots, graph.x_NF.device),
                log_prior_C=log_prior_C,
                slot_weight=options.slot_weight,
                seed=seed,
            )
            if model is network:
                metrics |= {f"loss-{name}": value for name, value in losses.items()}
    if own is not None:
        remember_own(task.state, own, task.plan.round)
    return Answer({WEIGHTS: tensors_of(network), **records}, metrics)


def _prepare(task: Task[FedLoGOptions], network: GraphSage, graph: GraphTensors) -> Answer:
    """Tables, round 1: the columns' moments, and the slots if they are wanted; nothing is trained."""
    data = graph_data(task)
    measure_columns(task, network)
    records: dict[str, Mapping[str, NDArray[np.generic]]] = {WEIGHTS: tensors_of(network)}
    if task.config.options.share_slots and WANTED in task.records:
        records |= slots_to_send(task, graph).records()
    return Answer(records, {"samples": len(data), "labelled": data.usable})
