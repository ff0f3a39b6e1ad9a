"""What every graph method does at a site: build the network, train an epoch, predict, write things down."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.bounded_mean import bounded_moments
from client_app.graphs.epoch import SlotTensors, train_epoch
from client_app.graphs.neighbourhoods import GraphTensors, all_logits, make_tensors
from client_app.graphs.node_data import GraphSiteData, graph_data
from client_app.graphs.node_scores import Predictor
from client_app.method import Task
from client_app.outcome import write_named
from common.methods.graph_common import GraphOptions, build_sage
from common.models.graph_sage import GraphSage
from common.wire.records import Metric


def make_network(
    task: Task[GraphOptions],
    tensors: Mapping[str, NDArray[np.generic]] | Mapping[str, Tensor] | None,
    cosine: bool = False,
) -> GraphSage:
    """A network with ``tensors``, or freshly initialised by the run's seed, on the configured device."""
    network = build_sage(task.config, cosine=cosine)
    if tensors is not None:
        network.load_state_dict({name: torch.as_tensor(np.asarray(value)) for name, value in tensors.items()})
    return network.to(task.device)


def site_tensors(task: Task[GraphOptions]) -> GraphTensors:
    """The site's graph on the configured device."""
    data = graph_data(task)
    return make_tensors(data.x.numpy(), data.edges, task.device)


def train_locally(
    task: Task[GraphOptions],
    network: GraphSage,
    graph: GraphTensors,
    *,
    slots: SlotTensors | None = None,
    log_prior_C: Tensor | None = None,
    slot_weight: float = 0.0,
    proximal: float = 0.0,
    seed: int = 0,
) -> dict[str, float]:
    """The round's epochs on the site's training nodes; ``seed`` parts the models that one site trains."""
    options, data = task.config.options, graph_data(task)
    torch.manual_seed(task.seed + seed)
    nodes, labels = (part.to(graph.x_NF.device) for part in (data.train_nodes, data.train_labels))
    classes = len(task.config.seen_classes)
    prior = torch.zeros(classes) if log_prior_C is None else log_prior_C
    anchor = [parameter.detach().clone() for parameter in network.parameters()] if proximal else None
    losses: dict[str, float] = {}
    for _ in range(options.local_epochs):
        losses = train_epoch(
            network,
            graph,
            nodes,
            labels,
            slots,
            prior.to(graph.x_NF.device),
            learning_rate=task.plan.learning_rate,
            weight_decay=options.weight_decay,
            batch_size=options.batch_size,
            slot_weight=slot_weight,
            anchor=anchor,
            proximal=proximal,
        )
    return losses


def measure_columns(task: Task[GraphOptions], network: GraphSage) -> None:
    """Set the input's moments to this site's own, bounded and with noise (tables, round 1); the server averages them.

    A site with fewer rows than may stand behind a mean leaves them as they are.
    """
    data = graph_data(task)
    if len(data) < task.fewest:
        return
    mean_F, variance_F = bounded_moments(data.x.numpy(), task.fewest, task.noise("input moments"))
    scale_F = np.where(variance_F > 0, 1 / np.sqrt(np.maximum(variance_F, 1e-24)), 1.0)
    network.input_mean.copy_(torch.from_numpy(mean_F))
    network.input_scale.copy_(torch.from_numpy(scale_F))


def column_moments(data: GraphSiteData) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation [F] of a site's columns; 1 stands for the deviation of a constant one."""
    x = data.x.double()
    spread = x.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread.clamp(min=1e-12), torch.ones_like(spread))
    return x.mean(dim=0).float().numpy(), spread.float().numpy()


def plain(network: GraphSage) -> Predictor:
    """A network's log probabilities, whatever the graph."""

    def predict(graph: GraphTensors, where: str) -> Tensor:
        return torch.log_softmax(all_logits(network, graph), dim=1)

    return predict


def validation_accuracy(data: GraphSiteData, scores_NC: Tensor) -> float | None:
    """Accuracy on the labelled nodes that did not train; None where there are none."""
    if not data.validation.any():
        return None
    chosen = scores_NC.argmax(dim=1).cpu().numpy()
    return float((chosen == data.labels)[data.validation].mean())


def site_metrics(data: GraphSiteData, scores_NC: Tensor, **others: int) -> dict[str, Metric]:
    """``samples``, ``others``, and by a model's scores ``validation-accuracy``, if there is any."""
    metrics: dict[str, Metric] = {"samples": len(data), **others}
    accuracy = validation_accuracy(data, scores_NC)
    return metrics if accuracy is None else metrics | {"validation-accuracy": accuracy}


def write_classes(task: Task[GraphOptions], scores_NC: Tensor) -> None:
    """``predictions.parquet``: the class of every node of the site's graph."""
    data, names = graph_data(task), task.config.seen_classes
    confidence, chosen = scores_NC.softmax(dim=1).max(dim=1)
    labels = np.where(data.train, data.labels, -1)
    named = [names[c] for c in chosen.tolist()]
    write_named(task, named, np.zeros(len(data), dtype=np.bool_), confidence.cpu().numpy(), labels)
