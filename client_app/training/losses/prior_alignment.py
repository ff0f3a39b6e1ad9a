"""Local prior alignment: a batch's mean prediction follows the site's prior (docs/method.md#prior-alignment).

With a uniform prior this is SimGCD's mean-entropy regulariser up to the constant log K.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def prior_alignment(cosines_NK: Tensor, prior_K: Tensor, *, student_temperature: float) -> Tensor:
    """KL(mean prediction || prior); >= 0, and 0 where the mean prediction is the prior.

    Args:
        cosines_NK: cosines of all views with K category rows.
        prior_K: the target distribution, positive, sums to 1.
    """
    mean_K = F.softmax(cosines_NK / student_temperature, dim=1).mean(dim=0)
    return (mean_K * ((mean_K + 1e-8).log() - prior_K.log())).sum()


def batch_prior(categories_B: Tensor, k: int, *, smoothing: float = 0.1) -> Tensor:
    """q_B: shares of a batch's categories, smoothed to be positive; ``[k]``."""
    counts = torch.bincount(categories_B, minlength=k).float() + smoothing
    return counts / counts.sum()
