"""What every training method does at a site: load the global network, measure the input, find neighbours, train."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.bounded_mean import bounded_moments
from client_app.method import Task
from client_app.training.alignment import Alignment
from client_app.training.loop import teacher_temperature_at, train
from client_app.training.neighbours import NeighbourLists, mutual_neighbours
from common.errors import InputError
from common.methods.option_groups import AlignmentOptions, TrainingOptions
from common.models import Network, restore_network, travelling
from common.models.pretrained import is_pretrained
from common.settings import AnyConfig, Options
from common.wire.records import WEIGHTS


def load_network(task: Task[Options]) -> Network:
    """The global network with the weights of the server's message, on the configured device.

    Raises:
        InputError: the server names a backbone that this site does not have, or does not say which it is.
    """
    if is_pretrained(task.config.model) and not task.config.backbone_hash:
        raise InputError("the server names a backbone without its hash; set backbone-hash in the run's configuration.")
    return restore_network(task.config, task.records[WEIGHTS]).to(task.device)


def train_locally(
    task: Task[Options],
    network: Network,
    options: TrainingOptions,
    alignment: Alignment | None = None,
    alignment_options: AlignmentOptions | None = None,
) -> dict[str, float]:
    """Train ``network`` in place as the round's plan says; without ``alignment`` by the warm-up's loss.

    Returns:
        the mean of every loss term under its metric's name, ``loss-<term>``.
    """
    temperature = 1.0 if alignment_options is None else teacher_temperature_at(alignment_options, task.plan.progress)
    losses = train(
        network,
        task.data.x,
        task.data.labels,
        options,
        kind=task.config.kind,
        learning_rate=task.plan.learning_rate,
        neighbours=input_neighbours(network, task, options.neighbours) if options.positives == "neighbours" else None,
        alignment=alignment,
        alignment_options=alignment_options,
        teacher_temperature=temperature,
        rng=np.random.default_rng(task.seed),
    )
    return {f"loss-{name}": value for name, value in losses.items()}


def weights_of(network: Network) -> Mapping[str, NDArray[Any]]:
    """The travelling tensors as NumPy arrays."""
    return {name: tensor.cpu().numpy() for name, tensor in travelling(network).items()}


def weights_record(task: Task[Options], network: Network) -> dict[str, dict[str, NDArray[Any]]]:
    """The record of the weights; empty in a round that trains none of them, where they may not leave."""
    return {WEIGHTS: dict(weights_of(network))} if task.plan.sends_weights else {}


def measure_input(task: Task[Options], network: Network) -> None:
    """Set the input moments to this site's own, bounded and with noise; the server averages them.

    A site with fewer samples than may stand behind a mean leaves them as they are.
    """
    if not network.standardises or len(task.data) < task.fewest:
        return
    mean_D, variance_D = bounded_moments(task.data.x.numpy(), task.fewest, task.noise("input moments"))
    network.input_mean.copy_(torch.from_numpy(mean_D))
    network.input_square.copy_(torch.from_numpy(variance_D + mean_D**2))


@torch.no_grad()
def input_neighbours(network: Network, task: Task[Options], k: int) -> NeighbourLists:
    """Mutual neighbours in the input or a pretrained backbone's features, found once and kept in the private state."""
    state = task.state
    key = f"{k}/{_input_key(network, task.config)}"
    if state.values.get("neighbours.key") == key:
        starts, ids = state.arrays["neighbours.starts"], state.arrays["neighbours.ids"]
        return NeighbourLists(starts.astype(np.int64), ids.astype(np.int64))
    lists = mutual_neighbours(network.neighbour_input(task.data.x), task.data.labels, k)
    state.update({"neighbours.starts": lists.starts, "neighbours.ids": lists.ids}, {"neighbours.key": key})
    return lists


def _input_key(network: Network, config: AnyConfig) -> str:
    """Neighbours of vectors depend on the federation's input moments, which settle after round 1."""
    if config.backbone_hash:
        return f"{config.backbone_hash}/{config.backbone_image_size}"
    if not network.standardises:
        return config.kind
    return f"{float(network.input_mean.double().sum()):.6g}/{float(network.input_square.double().sum()):.6g}"
