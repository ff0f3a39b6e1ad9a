"""Self-distillation between two views (SimGCD, arXiv 2211.11727; docs/method.md#self-distillation)."""

import torch.nn.functional as F
from torch import Tensor


def self_distillation(
    first_BK: Tensor, second_BK: Tensor, *, student_temperature: float, teacher_temperature: float
) -> Tensor:
    """Each view predicts the sharper, gradient-free categories of the other; mean over batch and directions.

    Args:
        first_BK, second_BK: cosines of the two views with K category rows.
    """

    def one_way(teacher_BK: Tensor, student_BK: Tensor) -> Tensor:
        target = F.softmax(teacher_BK.detach() / teacher_temperature, dim=1)
        return -(target * F.log_softmax(student_BK / student_temperature, dim=1)).sum(dim=1).mean()

    return 0.5 * (one_way(first_BK, second_BK) + one_way(second_BK, first_BK))
