"""Baseline ``fedavg-simgcd``: SimGCD (ICCV 2023) at every site, a learnable head of K rows, averaged by FedAvg."""

import numpy as np
import torch
from torch import Tensor

from client_app.evaluation import count_truth, seen_accuracy
from client_app.method import Answer, ClientMethod, Task
from client_app.outcome import conclude
from client_app.training.alignment import Alignment, make_prior
from client_app.training.local_training import load_network, measure_input, train_locally, weights_record
from common.discovery.catalogue import number_by_size
from common.methods.known_categories import number_of_categories
from common.methods.simgcd import SimGCDOptions
from common.models import LOGIT_TEMPERATURE, Network, all_features
from common.wire.records import Metric


def run_round(task: Task[SimGCDOptions]) -> Answer:
    """Score the incoming head, train, answer with weights."""
    torch.manual_seed(task.seed)
    options, data = task.config.options, task.data
    k = number_of_categories(task.config)
    network = load_network(task)
    metrics: dict[str, Metric] = {**data.size}
    if task.plan.phase == "preparation":
        measure_input(task, network)
        return Answer(weights_record(task, network), metrics)
    z_ND = all_features(network, data.x)
    predicted = network.head_cosines(z_ND).argmax(dim=1).cpu().numpy()
    records = count_truth(data, predicted, k, len(task.config.classes))
    if data.truth is not None:
        accuracy = seen_accuracy(network.head_cosines(z_ND)[:, : len(task.config.seen_classes)], data)
        metrics |= {} if accuracy is None else {"seen-accuracy": accuracy}
    if task.plan.train:
        category = predicted if options.prior == "local" else None
        metrics |= train_locally(task, network, options, _over_head(network, k, category), options)
    return Answer({**weights_record(task, network), **records}, metrics)


def _over_head(network: Network, k: int, category: "np.ndarray[tuple[int], np.dtype[np.int64]] | None") -> Alignment:
    def score(z_ND: Tensor) -> Tensor:
        return network.head_cosines(z_ND)

    return Alignment(score, make_prior(k, category, network.feature_mean.device))


@torch.no_grad()
def deliver(task: Task[SimGCDOptions]) -> Answer:
    """Write the site's predictions by the final head."""
    k, data = number_of_categories(task.config), task.data
    network = load_network(task)
    probability = (network.head_cosines(all_features(network, data.x)) / LOGIT_TEMPERATURE).softmax(dim=1)
    confidence, chosen = probability.max(dim=1)
    category = chosen.cpu().numpy()
    names = np.where(np.arange(k) < len(task.config.seen_classes), np.arange(k), -1)
    numbers = number_by_size(names, np.zeros(k, np.int64))
    records = conclude(task, names, numbers, category, confidence.cpu().numpy())
    return Answer(records, {"samples": len(data)})


METHOD = ClientMethod(run_round, deliver)
