"""One round of the published form at a site: score if due, train, answer."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors
from client_app.graphs.node_data import graph_data
from client_app.graphs.node_training import site_metrics, site_tensors
from client_app.graphs.own_model import recall_own, remember_own, tensors_of
from client_app.method import Answer, Task
from client_app.methods.fedlog_published.branch_predictors import score
from client_app.methods.fedlog_published.branch_training import Generators, all_log_probs, train_epoch, update_scaling
from client_app.methods.fedlog_published.generators import known_generators
from client_app.methods.fedlog_published.pretraining import pretrain
from client_app.methods.fedlog_published.prompts import train_generator
from client_app.methods.fedlog_published.sending import Records, counts_record, synthetic_record, write_privacy
from client_app.methods.fedlog_published.site_model import SiteModel, site_model
from common.methods.fedlog_published import GENERATOR, SYNTHETIC, PublishedOptions, first_training_round
from common.models.prototype_sage import HEAD
from common.wire.records import WEIGHTS


def run_round(task: Task[PublishedOptions]) -> Answer:
    """Answer one train message.

    Returns:
        class counts; in round 1 with prompts the generator; else the trained weights and condensed nodes; scalars; in
        benchmarks, now and then, the counts of right predictions.
    """
    data, graph = graph_data(task), site_tensors(task)
    if task.plan.phase == "preparation":
        records = {**counts_record(task), **_generator_record(task, graph)}
        return Answer(records, {"samples": len(data), "labelled": data.usable})
    model, generators = site_model(task, task.records[WEIGHTS]), known_generators(task)
    made = 0 if generators is None else len(task.config.seen_classes)
    metrics = site_metrics(data, all_log_probs(model, graph, generators), labelled=data.usable, generators=made)
    records = {**counts_record(task), **score(task, model, generators)}
    if task.plan.round == first_training_round(task.config) and recall_own(task.state, task.plan.round) is None:
        pretrain(task, model.network.embedder, graph)
    metrics |= {f"loss-{name}": value for name, value in _train(task, model, graph, generators).items()}
    remember_own(task.state, model, task.plan.round)
    records[WEIGHTS] = tensors_of(model.network)
    if task.config.options.synthetic_weight:
        sent = synthetic_record(task, model.synthetic[HEAD].detach().cpu().numpy())
        records |= sent
        if task.plan.round == task.config.rounds:
            write_privacy(task, np.asarray(sent[SYNTHETIC]["x"], dtype=np.float32))
    return Answer(records, metrics)


def _train(
    task: Task[PublishedOptions], model: SiteModel, graph: GraphTensors, generators: Generators | None
) -> dict[str, float]:
    options, data = task.config.options, graph_data(task)
    device = graph.x_NF.device
    federation = federation_nodes(task)
    torch.manual_seed(task.seed)
    losses: dict[str, float] = {}
    for _ in range(options.local_epochs):
        losses = train_epoch(
            model,
            graph,
            data.train_nodes.to(device),
            data.train_labels.to(device),
            federation,
            generators,
            learning_rate=task.plan.learning_rate,
            synthetic_learning_rate=options.synthetic_learning_rate * task.plan.learning_rate / options.learning_rate,
            weight_decay=options.weight_decay,
            batch_size=options.batch_size,
            norm_weight=options.norm_weight,
            synthetic_weight=options.synthetic_weight,
        )
        if federation is not None and options.scaling:
            update_scaling(model, federation, generators)
    return losses


def federation_nodes(task: Task[PublishedOptions]) -> Tensor | None:
    """The federation's synthetic nodes [C, s, F] as they just came."""
    if SYNTHETIC not in task.records:
        return None
    return torch.from_numpy(np.asarray(task.records[SYNTHETIC]["x"], dtype=np.float32)).to(task.device)


def _generator_record(task: Task[PublishedOptions], graph: GraphTensors) -> Records:
    options, data = task.config.options, graph_data(task)
    device = graph.x_NF.device
    generator = train_generator(
        graph,
        data.train_nodes.to(device),
        data.train_labels.to(device),
        len(task.config.seen_classes),
        epochs=options.generator_epochs,
        batch_size=options.batch_size,
        learning_rate=options.generator_learning_rate,
        seed=task.seed,
    )
    tensors: dict[str, NDArray[np.generic]] = {
        name: array.astype(np.float16) for name, array in tensors_of(generator).items()
    }
    return {GENERATOR: tensors}
