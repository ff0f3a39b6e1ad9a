"""Baseline ``fedavg-gcd`` at a site: contrastive training, and in the closing round semi-supervised k-means."""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.bounded_mean import bounded_mean
from client_app.evaluation import count_truth
from client_app.method import Answer, ClientMethod, Task
from client_app.methods.gcd.kmeans import Clusters, semi_supervised_kmeans
from client_app.outcome import conclude
from client_app.training.local_training import (
    load_network,
    measure_input,
    train_locally,
    weights_record,
)
from common.discovery.catalogue import Catalogue
from common.discovery.posterior import category_logits
from common.methods.discovery_common import CATALOGUE
from common.methods.gcd import GCDOptions
from common.methods.known_categories import number_of_categories
from common.models import Network, all_features
from common.wire.records import Metric


def run_round(task: Task[GCDOptions]) -> Answer:
    """Train and answer with weights; in the closing round cluster and answer with centroids as well."""
    torch.manual_seed(task.seed)
    options, data = task.config.options, task.data
    network = load_network(task)
    metrics: dict[str, Metric] = {**data.size}
    records: dict[str, dict[str, NDArray[np.generic]]] = {}
    if task.plan.phase == "preparation":
        measure_input(task, network)
    if task.plan.discover:
        started = time.perf_counter()
        records |= _cluster(task, network)
        metrics["concepts"] = len(records[CATALOGUE]["names"])
        metrics["discovery-seconds"] = time.perf_counter() - started
    if task.plan.train:
        metrics |= train_locally(task, network, options)
    return Answer({**weights_record(task, network), **records}, metrics)


def _cluster(task: Task[GCDOptions], network: Network) -> dict[str, dict[str, NDArray[np.generic]]]:
    """The site's centroids with enough samples behind them; in benchmarks their counts by truth, row for row."""
    options, data = task.config.options, task.data
    z_ND = all_features(network, data.x).cpu().numpy()
    clusters: Clusters = semi_supervised_kmeans(
        z_ND,
        data.labels,
        number_of_categories(task.config),
        seed=task.seed,
        trials=options.kmeans_trials,
        steps=options.kmeans_steps,
    )
    k = len(clusters.names)
    counts = np.bincount(clusters.assigned, minlength=k)
    sent = np.flatnonzero(counts >= options.min_support)
    support, generator = min(task.fewest, options.min_support), task.noise("centroids")
    rows = [bounded_mean(z_ND[clusters.assigned == cluster], support, generator) for cluster in sent]
    records: dict[str, dict[str, NDArray[np.generic]]] = {
        CATALOGUE: {
            "rows": np.array(rows, dtype=np.float32).reshape(len(sent), z_ND.shape[1]),
            "counts": counts[sent],
            "names": clusters.names[sent],
        }
    }
    records |= count_truth(data, clusters.assigned, k, len(task.config.classes), sent)
    return records


@torch.no_grad()
def deliver(task: Task[GCDOptions]) -> Answer:
    """Write the site's predictions: the nearest of the federation's centroids."""
    data = task.data
    if CATALOGUE not in task.records or not len(task.records[CATALOGUE]["names"]):
        return Answer(metrics={"samples": len(data)})
    network = load_network(task)
    catalogue = Catalogue.from_arrays(task.records[CATALOGUE])
    z_ND = all_features(network, data.x)
    rows_KD = torch.from_numpy(catalogue.rows).to(z_ND.device)
    probability = category_logits(z_ND, rows_KD, network.feature_mean).softmax(dim=1)
    confidence, chosen = probability.max(dim=1)
    category = chosen.cpu().numpy()
    records = conclude(task, catalogue.names, catalogue.numbers, category, confidence.cpu().numpy())
    return Answer(records, {"samples": len(data)})


METHOD = ClientMethod(run_round, deliver)
