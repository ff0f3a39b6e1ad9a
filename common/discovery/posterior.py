"""From features to categories: the catalogue as a cosine classifier with a prior (docs/method.md#predictions)."""

import torch
from torch import Tensor

from common.discovery.similarity import centred

TEMPERATURE = 0.05
ADAPT_STEPS = 50
SMOOTHING = 1.0


def category_logits(z_ND: Tensor, rows_KD: Tensor, centre_D: Tensor, linear_KE: Tensor | None = None) -> Tensor:
    """Log-likelihoods ``[n, K]`` up to a constant: centred cosines over the temperature.

    With ``linear_KE`` [K, d + 1], weights and bias of a linear head over centred unit features, by that head.
    """
    unit_ND = centred(z_ND, centre_D)
    if linear_KE is not None:
        return unit_ND @ linear_KE[:, :-1].T + linear_KE[:, -1]
    return unit_ND @ centred(rows_KD, centre_D).T / TEMPERATURE


def head_vectors(rows_KD: Tensor, centre_D: Tensor, linear_KE: Tensor | None = None) -> Tensor:
    """The head as rows ``[K, d]`` without a bias: logits are dot products with centred unit features over 0.05.

    Before anything is trained they are the centred category rows.
    """
    if linear_KE is not None:
        return linear_KE[:, :-1] * TEMPERATURE
    return centred(rows_KD, centre_D)


def log_prior_of(counts_K: Tensor) -> Tensor:
    """Log shares of categories from counts, smoothed so that none is impossible; ``[K]``."""
    smooth = counts_K.float() + SMOOTHING
    return (smooth / smooth.sum()).log()


def blend_prior(log_prior_K: Tensor, home_share: float) -> Tensor:
    """Log prior of a sample that comes from home with probability ``home_share``, else from anywhere; ``[K]``."""
    return (home_share * log_prior_K.exp() + (1 - home_share) / len(log_prior_K)).log()


def adapt_prior(logits_NK: Tensor) -> Tensor:
    """Log prior of a place that is only known by its unlabelled samples, by expectation-maximisation; ``[K]``.

    Saerens, Latinne, Decaestecker (2002): alternate posteriors under the present prior and their mean, starting
    from uniform; each step is smoothed by one count a category.
    """
    k = logits_NK.shape[1]
    log_prior_K = torch.full((k,), 1.0 / k, device=logits_NK.device).log()
    for _ in range(ADAPT_STEPS):
        log_prior_K = log_prior_of(torch.softmax(logits_NK + log_prior_K, dim=1).sum(dim=0))
    return log_prior_K
