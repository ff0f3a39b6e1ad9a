"""A residual adapter for embeddings and tables: starts as (a projection of) its input and learns a correction."""

import torch
from torch import Tensor, nn

from common.models.encoder import Encoder


def adapter_width(d_in: int) -> int:
    """Width of the features for inputs of width ``d_in``."""
    return min(256, max(32, d_in))


class Adapter(Encoder):
    """``skip(x) + mlp(x)``; the last layer of the MLP starts at zero. ``[n, d_in]`` -> ``[n, width]``."""

    def __init__(self, d_in: int, hidden: int = 512) -> None:
        super().__init__()
        self.width = adapter_width(d_in)
        self.skip = nn.Linear(d_in, self.width, bias=False)
        self.mlp = nn.Sequential(nn.Linear(d_in, hidden), nn.GELU(), nn.Linear(hidden, self.width))
        last = self.mlp[2]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            # Wider inputs are not ordered by importance in general, so no coordinate may be dropped.
            if d_in <= self.width:
                self.skip.weight.copy_(torch.eye(self.width, d_in))
            else:
                nn.init.orthogonal_(self.skip.weight)
            last.weight.zero_()
            last.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Unnormalised features."""
        out: Tensor = self.skip(x) + self.mlp(x)
        return out


def standardise(x: Tensor, mean: Tensor, square: Tensor) -> Tensor:
    """Standardise ``[n, d]`` by the mean and mean square of each column, then scale rows to length sqrt(d)/4.

    The fixed length keeps dropout and noise of the views in proportion whatever the input's units.
    """
    std = (square - mean**2).clamp_min(0).sqrt()
    usable = std > 1e-7 * (1 + mean.abs())
    unit = ((x.to(mean.dtype) - mean) / torch.where(usable, std, torch.ones_like(std))).to(torch.float32)
    scaled: Tensor = nn.functional.normalize(unit, dim=1) * (x.shape[1] ** 0.5 / 4)
    return scaled
