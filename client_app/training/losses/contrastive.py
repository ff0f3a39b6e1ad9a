"""InfoNCE and supervised contrastive loss.

Papers: InfoNCE, arXiv 1807.03748; SupCon, arXiv 2004.11362. InfoNCE over pairs *is* SupCon in which every
sample has one positive, its partner; pytorch-metric-learning's SupConLoss costs O(n^2) there, its NTXentLoss
O(n^3).

>>> import torch
>>> a = torch.nn.functional.normalize(torch.randn(8, 4), dim=1)
>>> info_nce(a, a, temperature=0.2) < info_nce(a, a.flip(0), temperature=0.2)
tensor(True)
"""

import torch
from torch import Tensor


def info_nce(first_BD: Tensor, second_BD: Tensor, *, temperature: float) -> Tensor:
    """Symmetric InfoNCE of two views; row i of both is a pair, all 2B - 2 other rows are negatives."""
    pairs = torch.arange(len(first_BD), device=first_BD.device).repeat(2)
    return sup_con(torch.cat([first_BD, second_BD]), pairs, temperature=temperature)


def sup_con(p_ND: Tensor, labels_N: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrastive loss of unit rows; zero where no two rows share a label."""
    from pytorch_metric_learning.losses import SupConLoss

    loss: Tensor = SupConLoss(temperature=temperature)(p_ND, labels_N)
    return loss
