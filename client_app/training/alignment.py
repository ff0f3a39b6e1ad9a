"""What self-distillation and prior alignment need of a method: scores over category rows, and the batch's prior."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.training.losses.prior_alignment import batch_prior
from common.discovery.similarity import centred


@dataclass(frozen=True)
class Alignment:
    """``score`` maps features [n, d] to cosines with K rows; ``prior`` maps a batch's sample indices to [K]."""

    score: Callable[[Tensor], Tensor]
    prior: Callable[[NDArray[np.int64]], Tensor]


def align_to_rows(rows_KD: Tensor, centre_D: Tensor, category: NDArray[np.int64] | None) -> Alignment:
    """Alignment over fixed category rows, centred; ``category`` [n] gives the prior, None a uniform one."""
    unit_KD = centred(rows_KD, centre_D)

    def score(z_ND: Tensor) -> Tensor:
        return centred(z_ND, centre_D) @ unit_KD.T

    return Alignment(score, make_prior(len(rows_KD), category, rows_KD.device))


def make_prior(
    k: int, category: NDArray[np.int64] | None, device: torch.device
) -> Callable[[NDArray[np.int64]], Tensor]:
    """The prior of a batch: shares of its samples' categories, or uniform where ``category`` is None."""
    if category is None:
        return lambda batch: torch.full((k,), 1.0 / k, device=device)
    known = torch.as_tensor(category, device=device)
    return lambda batch: batch_prior(known[torch.as_tensor(batch, device=device)], k)
