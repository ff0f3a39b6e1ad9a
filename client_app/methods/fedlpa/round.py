"""One round of FedLPA at a site: evaluate, discover if due, train, answer."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.bounded_mean import EVERY_ROUND, bounded_mean
from client_app.discovery.clcd import Calibration, calibrate, discover
from client_app.discovery.concepts import Concepts
from client_app.evaluation import count_truth, health, prior_drift, seen_accuracy, shares
from client_app.method import Answer, Task
from client_app.methods.fedlpa.borrow import borrow_names
from client_app.methods.fedlpa.categories import OWN, Categories, categories_of, sendable
from client_app.methods.fedlpa.head_round import home_logits, train_own_rows
from client_app.methods.fedlpa.memory import (
    recall_calibration,
    recall_concepts,
    recall_prior,
    remember_calibration,
    remember_concepts,
    remember_prior,
)
from client_app.methods.fedlpa.statistics import category_statistics
from client_app.training.alignment import Alignment, align_to_rows
from client_app.training.local_training import (
    load_network,
    measure_input,
    train_locally,
    weights_record,
)
from common.methods.discovery_common import CATALOGUE
from common.methods.fedlpa.spec import CURVE, FedLPAOptions
from common.methods.fedlpa.statistics_record import STATISTICS
from common.models import Network, all_features
from common.wire.records import Metric


@dataclass
class _Round:
    """What the steps of a round hand on to each other."""

    task: Task[FedLPAOptions]
    options: FedLPAOptions
    network: Network
    z_ND: Tensor
    centre_D: Tensor
    metrics: dict[str, Metric]
    records: dict[str, dict[str, NDArray[np.generic]]]


def run_round(task: Task[FedLPAOptions]) -> Answer:
    """Answer one train message.

    Returns:
        the trained weights; in a discovery round the category rows (with ``share-categories``); scalars; in
        benchmarks the count matrix of predictions by truth.
    """
    torch.manual_seed(task.seed)
    options = task.config.options
    network = load_network(task)
    data = task.data
    metrics: dict[str, Metric] = {**data.size}
    if task.plan.phase == "preparation" or _never_prepared(network):
        measure_input(task, network)
    if task.plan.phase == "preparation":
        return Answer(weights_record(task, network), metrics)

    z_ND = all_features(network, data.x)
    own_mean_D = z_ND.mean(dim=0)
    work = _Round(task, options, network, z_ND, _centre(options, network, own_mean_D), metrics, {})
    accuracy = seen_accuracy(network.head_cosines(z_ND), data)
    if accuracy is not None:
        metrics["seen-accuracy"] = accuracy
    started = time.perf_counter()
    if task.plan.calibrate:
        _calibrate(work)
    concepts = _discover(work) if task.plan.discover else recall_concepts(task.state, task.plan.round)
    metrics["discovery-seconds"] = time.perf_counter() - started
    categories = categories_of(task, concepts, z_ND, work.centre_D)
    if task.plan.phase == "head":
        _train_head(work, categories)
    elif not task.plan.discover and categories is not None:
        nearest = categories.nearest(z_ND)
        _count_truth(work, nearest, len(categories))
        _follow_prior(work, categories, nearest)
    if task.plan.train:
        metrics |= train_locally(task, network, options, _alignment(work, categories), options)
    if task.plan.train or not network.feature_mean.any():
        _set_feature_mean(work)
    work.records.update(weights_record(task, network))
    return Answer(work.records, metrics)


def _set_feature_mean(work: _Round) -> None:
    """The site's mean feature, bounded and with noise; too small a site leaves the federation's as it is."""
    support = work.task.fewest
    if len(work.z_ND) >= support:
        mean_D = bounded_mean(work.z_ND.cpu().numpy(), support, work.task.noise("feature mean"), EVERY_ROUND)
        work.network.feature_mean.copy_(torch.from_numpy(mean_D))


def _never_prepared(network: Network) -> bool:
    """A run too short for a preparation round: the site standardises by itself."""
    return network.standardises and not network.input_mean.any() and bool((network.input_square == 1).all())


def _centre(options: FedLPAOptions, network: Network, own_mean_D: Tensor) -> Tensor:
    if options.centre == "site" or not network.feature_mean.any():
        return own_mean_D
    return network.feature_mean.clone()


def _calibrate(work: _Round) -> None:
    task = work.task
    calibration = calibrate(work.z_ND, task.data.labels, work.centre_D, work.options, seed=task.config.seed)
    remember_calibration(task.state, calibration, task.plan.round)
    if calibration.curve is not None:
        work.metrics["calibration-curve"] = [float(value) for value in calibration.curve]
        work.metrics["calibration-labels"] = calibration.labels


def _discover(work: _Round) -> Concepts:
    task, data = work.task, work.task.data
    previous = recall_concepts(task.state, task.plan.round)
    own: Calibration = recall_calibration(task.state, task.plan.round - 1) or calibrate(
        work.z_ND, data.labels, work.centre_D, work.options, seed=task.config.seed
    )
    cosines = work.network.head_cosines(work.z_ND).detach().cpu().numpy()
    concepts, resolution = discover(
        work.z_ND,
        data.labels,
        work.centre_D,
        work.options,
        own=own,
        federation=task.values.get(CURVE),
        head_cosines=cosines,
        seed=task.config.seed,
    )
    known = task.records.get(CATALOGUE)
    if known is not None:
        rows_KD = torch.from_numpy(known["rows"].astype(np.float32)).to(work.z_ND.device)
        names_K = known["names"].astype(np.int64)
        threshold = work.options.borrow_threshold
        concepts = borrow_names(concepts, data.labels, rows_KD, names_K, work.centre_D, threshold)
    remember_concepts(task.state, concepts, resolution, task.plan.round)
    work.metrics |= {"concepts": len(concepts), "resolution": resolution}
    work.metrics |= health(work.z_ND, work.centre_D, concepts, previous)
    sent = sendable(concepts, work.options.min_support)
    if work.options.share_categories:
        work.records[CATALOGUE] = {
            "rows": _rows_to_send(work, concepts, sent),
            "counts": concepts.counts[sent],
            "names": concepts.names[sent],
        }
        if work.options.category_statistics and task.plan.phase == "closing":
            work.records[STATISTICS] = category_statistics(work.z_ND, work.centre_D, concepts, sent)
    _count_truth(work, concepts.assigned, len(concepts), first=sent)
    return concepts


def _rows_to_send(work: _Round, concepts: Concepts, sent: NDArray[np.int64]) -> NDArray[np.float32]:
    """``[m, d]`` unit rows of the concepts ``sent``: their mean features, bounded and with noise."""
    z_ND, generator = work.z_ND.cpu().numpy(), work.task.noise("category rows")
    support = min(work.task.fewest, work.options.min_support)
    rows = [bounded_mean(z_ND[concepts.assigned == concept], support, generator) for concept in sent]
    found = np.array(rows, dtype=np.float64).reshape(len(sent), z_ND.shape[1])
    unit: NDArray[np.float32] = (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype("f4")
    return unit


def _train_head(work: _Round, categories: Categories | None) -> None:
    """Rows of the site's own categories, trained.

    A site that missed the closing discovery has no rows in the catalogue, and one that lost its memory since then
    cannot say how many samples are behind them: neither sends any.
    """
    shared = work.task.records.get(CATALOGUE)
    if categories is None or shared is None:
        return
    predicted = home_logits(categories, work.z_ND).argmax(dim=1).numpy()
    _count_truth(work, predicted, len(categories))
    own = np.unique(shared[OWN]).astype(np.int64)
    if len(own) and categories.counts[own].min() >= work.options.min_support:
        record, loss = train_own_rows(categories, own, work.z_ND, work.task.data.labels)
        work.records[CATALOGUE] = record
        work.metrics["loss-total"] = loss


def _follow_prior(work: _Round, categories: Categories, nearest: NDArray[np.int64]) -> None:
    """How far the site's category shares moved since they were last looked at; the shares stay here."""
    task = work.task
    names = categories.labels(task.config.seen_classes)
    now: dict[str, float] = {}
    for name, share in zip(names, shares(nearest, len(categories)).tolist(), strict=True):
        now[name] = now.get(name, 0.0) + share
    before = recall_prior(task.state, task.plan.round)
    if before is not None:
        work.metrics["prior-drift"] = min(1.0, prior_drift(before, now))
    remember_prior(task.state, now, task.plan.round)


def _count_truth(work: _Round, predicted: NDArray[np.int64], k: int, first: NDArray[np.int64] | None = None) -> None:
    work.records |= count_truth(work.task.data, predicted, k, len(work.task.config.classes), first)


def _alignment(work: _Round, categories: Categories | None) -> Alignment | None:
    """Alignment over the federation's rows, or the site's own concepts where nothing is shared (yet)."""
    if categories is None or work.task.plan.phase == "warm-up":
        return None
    own = categories.assigned if work.options.prior == "local" else None
    return align_to_rows(categories.rows_KD, work.centre_D, own)
