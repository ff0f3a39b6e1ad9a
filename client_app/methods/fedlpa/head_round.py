"""A head round at a site: the rows of its categories, trained to tell its own samples apart, go to the server."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.methods.fedlpa.categories import Categories
from client_app.methods.fedlpa.head_training import train_category_head
from common.discovery.posterior import category_logits, head_vectors
from common.discovery.similarity import centred


def home_logits(categories: Categories, z_ND: Tensor) -> Tensor:
    """Log posteriors ``[n, K]`` up to a constant: the head with the site's prior (docs/method.md#predictions).

    The prior is the share of each category among the site's discovered samples; it stays here.
    """
    likelihood_NK = category_logits(z_ND, categories.rows_KD, categories.centre_D, categories.linear_KE).cpu()
    return likelihood_NK + categories.log_prior()


def head_targets(categories: Categories, z_ND: Tensor, labels: NDArray[np.int64]) -> Tensor:
    """What the head is to say, int64 [n]: labels where there are any, else the category by the rows at home.

    By the rows, not by the head of the round before: else the head would come to believe its own mistakes.
    """
    likelihood_NK = category_logits(z_ND, categories.rows_KD, categories.centre_D).cpu()
    targets_N = (likelihood_NK + categories.log_prior()).argmax(dim=1)
    for category in np.flatnonzero(categories.names >= 0):
        targets_N[torch.from_numpy(labels == categories.names[category])] = int(category)
    return targets_N


def train_own_rows(
    categories: Categories, own: NDArray[np.int64], z_ND: Tensor, labels: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.generic]], float]:
    """The catalogue record of a head round, and the cross-entropy that is left.

    Args:
        own: the categories that the server made of this site's concepts, ascending; those alone are trained and
            sent, a row each, with the number of the site's samples in it.
    """
    rows_KD = head_vectors(categories.rows_KD, categories.centre_D, categories.linear_KE)
    unit_ND = centred(z_ND, categories.centre_D)
    targets_N = head_targets(categories, z_ND, labels).to(z_ND.device)
    trained_MD, loss = train_category_head(unit_ND, targets_N, rows_KD, torch.from_numpy(own).to(z_ND.device))
    record: dict[str, NDArray[np.generic]] = {
        "rows": trained_MD.cpu().numpy(),
        "counts": categories.counts[own],
        "names": categories.names[own],
    }
    return record, loss
