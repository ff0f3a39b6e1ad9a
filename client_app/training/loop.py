"""Local training of one round: contrastive, supervised and, once there are categories, aligned."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from client_app.training.alignment import Alignment
from client_app.training.losses.contrastive import info_nce, sup_con
from client_app.training.losses.prior_alignment import prior_alignment
from client_app.training.losses.self_distillation import self_distillation
from client_app.training.neighbours import NeighbourLists
from client_app.training.optimiser import make_optimiser
from common.data.kind_registry import sample_kind
from common.methods.option_groups import AlignmentOptions, TrainingOptions
from common.models import LOGIT_TEMPERATURE, Network

SUPCON_TEMPERATURE = 0.07
SMALLEST_BATCH = 8


def train(
    network: Network,
    x: Tensor,
    labels: NDArray[np.int64],
    options: TrainingOptions,
    *,
    kind: str,
    learning_rate: float,
    neighbours: NeighbourLists | None,
    alignment: Alignment | None,
    alignment_options: AlignmentOptions | None,
    teacher_temperature: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Train ``network`` in place on one site's samples.

    total = (1 - lambda)(InfoNCE + w_sd L_sd + eps L_lpa) + lambda (SupCon + CE); docs/method.md#local-training.

    Args:
        x: raw samples ``[n, ...]``; labels: int64 [n], -1 where unlabelled.
        neighbours: positives of the contrastive loss; None: two views of the sample itself.
        alignment: category scores and prior; None: the warm-up's loss.
        rng: draws batches and neighbours; views draw from torch's own generator.

    Returns:
        mean over the steps of every loss term that took part; empty where there is nothing to train on.
    """
    if len(x) < 2:
        return {}
    network.train()
    optimiser = make_optimiser(network, options, learning_rate)
    view = sample_kind(kind).make_view(options.augmentation, flip=options.flip)
    device = network.feature_mean.device
    labels_N = torch.as_tensor(labels)
    sums: dict[str, float] = defaultdict(float)
    steps = 0
    for batch in _batches(len(x), options.batch_size, options.local_epochs, rng):
        partner = batch if neighbours is None else neighbours.draw(batch, rng)
        both = np.concatenate([batch, partner])
        z = network.features(view(network.prepare(x[both].to(device))))
        p = network.project(z)
        half = len(batch)
        terms = _supervised(network, z, p, labels_N[both].to(device), options)
        if options.contrastive_weight:
            terms["contrastive"] = options.contrastive_weight * info_nce(
                p[:half], p[half:], temperature=options.contrastive_temperature
            )
        if alignment is not None and alignment_options is not None:
            terms |= _aligned(alignment, alignment_options, z, both, teacher_temperature)
        weight = options.supervised_weight
        loss = sum(
            ((weight if name == "supervised" else 1 - weight) * term for name, term in terms.items()),
            start=torch.zeros((), device=device),
        )
        if not loss.requires_grad:
            continue
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        steps += 1
        sums["total"] += float(loss.detach())
        for name, term in terms.items():
            sums[name] += float(term.detach())
    return {name: value / steps for name, value in sums.items()} if steps else {}


def _supervised(network: Network, z: Tensor, p: Tensor, labels: Tensor, options: TrainingOptions) -> dict[str, Tensor]:
    known = labels >= 0
    if not known.any() or not options.supervised_weight or not (options.supcon or options.cross_entropy):
        return {}
    term = z.new_zeros(())
    if options.supcon:
        term = term + sup_con(p[known], labels[known], temperature=SUPCON_TEMPERATURE)
    if options.cross_entropy:
        term = term + F.cross_entropy(network.head_cosines(z[known]) / LOGIT_TEMPERATURE, labels[known])
    return {"supervised": term}


def _aligned(
    alignment: Alignment,
    options: AlignmentOptions,
    z: Tensor,
    both: NDArray[np.int64],
    teacher_temperature: float,
) -> dict[str, Tensor]:
    cosines = alignment.score(z)
    half = len(both) // 2
    terms: dict[str, Tensor] = {}
    if options.distillation_weight:
        terms["self-distillation"] = options.distillation_weight * self_distillation(
            cosines[:half],
            cosines[half:],
            student_temperature=options.student_temperature,
            teacher_temperature=teacher_temperature,
        )
    if options.prior_weight:
        terms["prior-alignment"] = options.prior_weight * prior_alignment(
            cosines, alignment.prior(both), student_temperature=options.student_temperature
        )
    return terms


def _batches(n: int, size: int, epochs: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Shuffled batches; a short last one is left out unless it is the only one."""
    for _ in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, size):
            batch = order[start : start + size]
            if len(batch) >= SMALLEST_BATCH or start == 0:
                yield batch


def teacher_temperature_at(options: AlignmentOptions, progress: float) -> float:
    """The teacher's temperature after ``progress`` of the training: linear over the first 30 %, then constant."""
    start = options.teacher_temperature_start
    if start is None:
        return options.teacher_temperature
    share = min(1.0, progress / 0.3)
    return start + share * (options.teacher_temperature - start)
