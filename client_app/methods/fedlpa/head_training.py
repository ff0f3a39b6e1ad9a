"""The category head: rows of a linear classifier over centred features, trained on a site's own predictions."""

import torch
import torch.nn.functional as F
from torch import Tensor

from common.discovery.posterior import TEMPERATURE, log_prior_of

PULL = 0.3
"""Weight of the squared distance to the federation's rows: what few samples say is believed little."""
STEPS = 30


def train_category_head(
    unit_ND: Tensor, targets_N: Tensor, rows_KD: Tensor, own_M: Tensor, *, pull: float = PULL
) -> tuple[Tensor, float]:
    """Rows that tell the site's samples apart, near the federation's; only the rows ``own_M`` move.

    Minimises CE(u . row / 0.05 + log pi, target) + pull / 2 |rows - federation's rows|^2 by L-BFGS from the latter.
    pi are the shares of the targets at this site (logit adjustment, Menon et al., ICLR 2021), so that the rows learn
    what a category looks like and not how frequent it is here: a category that a site lacks loses nothing by it.

    >>> unit = F.normalize(torch.tensor([[1.0, 0.2], [1.0, 0.0], [0.0, 1.0]]), dim=1)
    >>> rows, loss = train_category_head(unit, torch.tensor([0, 0, 1]), torch.eye(2), torch.tensor([0, 1]))
    >>> rows.shape, loss < 0.1
    (torch.Size([2, 2]), True)

    Args:
        unit_ND: centred unit features; targets_N: int64 category of each.
        rows_KD: the federation's rows, of any length; own_M: int64, the categories that the site has.

    Returns:
        the rows ``own_M`` as trained, [M, D], and the cross-entropy that is left.
    """
    log_prior_K = log_prior_of(torch.bincount(targets_N, minlength=len(rows_KD)))
    own_MD = rows_KD[own_M].clone().requires_grad_()
    optimiser = torch.optim.LBFGS([own_MD], max_iter=STEPS, line_search_fn="strong_wolfe")

    def cross_entropy() -> Tensor:
        moved_KD = rows_KD.index_copy(0, own_M, own_MD)
        return F.cross_entropy(unit_ND @ moved_KD.T / TEMPERATURE + log_prior_K, targets_N)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = cross_entropy() + 0.5 * pull * (own_MD - rows_KD[own_M]).square().sum()
        torch.autograd.backward(loss)
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return own_MD.detach(), float(cross_entropy())
