"""A pretrained image backbone behind the interface of the application's own: frozen but for its last blocks."""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from common.errors import InputError
from common.models.encoder import Encoder
from common.models.pretrained import Pretrained, pool

_PIXELS = 2**23
"""How many input numbers are evaluated at once: 55 images of 224 pixels."""


class Backbone(Encoder):
    """A transformers model whose last ``trainable_blocks`` blocks learn; the rest never changes.

    With none of them, a residual MLP on the frozen features learns instead; it starts as the identity. The frozen
    tensors share their memory with every other network built from the same files in this process.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, pretrained: Pretrained, trainable_blocks: int, side: int | None) -> None:
        super().__init__()
        self.width = pretrained.width
        plan = pretrained.preprocessing
        self.size = plan.size if side is None else (side, side)
        self.resampling = plan.resampling
        self.register_buffer("mean", torch.tensor(plan.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(plan.std)[:, None, None], persistent=False)
        self._pretrained = pretrained
        _check_size(pretrained, self.size)
        learning = _last_blocks(pretrained, pretrained.model, trainable_blocks)
        own = {id(parameter) for block in learning for parameter in block.parameters()}
        shared = {
            id(tensor): nn.Parameter(tensor.data, requires_grad=False)
            for tensor in pretrained.model.parameters()
            if id(tensor) not in own
        }
        self.model: nn.Module = copy.deepcopy(pretrained.model, dict(shared))
        self._learning = _last_blocks(pretrained, self.model, trainable_blocks)
        for block in self._learning:
            block.requires_grad_(True)
        self.residual = None if self._learning else _residual(self.width)

    def prepare(self, x: Tensor) -> Tensor:
        """uint8 ``[n, c, h, w]`` -> the backbone's input: its channels, its size, its mean and deviation."""
        pixels = x.to(torch.float32) / 255.0
        if pixels.shape[-2:] != self.size:
            if self.resampling == "nearest":
                pixels = F.interpolate(pixels, self.size, mode="nearest")
            else:
                pixels = F.interpolate(pixels, self.size, mode=self.resampling, antialias=True).clamp(0, 1)
        return (pixels.expand(-1, len(self.mean), -1, -1) - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        """Unnormalised features. Frozen tensors ask for no gradient, so autograd records the last blocks only."""
        if not len(x):
            return x.new_zeros(0, self.width)
        z = pool(self.model, x, self._pretrained.native_size)
        return z if self.residual is None else z + self.residual(z)

    @torch.no_grad()
    def initial_features(self, prepared: Iterator[Tensor]) -> Tensor:
        """Features ``[n, d]`` of the backbone as it was downloaded, whatever this copy has learnt since."""
        device = self.mean.device
        model = self._pretrained.model
        if device.type != "cpu":
            model = copy.deepcopy(model).to(device)
        parts = [pool(model, part, self._pretrained.native_size) for part in prepared if len(part)]
        return torch.cat(parts) if parts else torch.zeros(0, self.width, device=device)

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """The trainable tensors that do not start at random."""
        return [parameter for block in self._learning for parameter in block.parameters()]

    @property
    def evaluation_batch(self) -> int:
        """How many images go through at once where nothing is learnt."""
        return max(1, min(2048, _PIXELS // (len(self.mean) * self.size[0] * self.size[1])))

    def train(self, mode: bool = True) -> "Backbone":
        """Only what learns leaves evaluation mode, and running statistics never do."""
        super().train(False)
        self.training = mode
        for block in self._learning:
            for part in block.modules():
                part.training = mode and not isinstance(part, _BatchNorm)
        return self


def _last_blocks(pretrained: Pretrained, model: nn.Module, count: int) -> list[nn.Module]:
    if count == 0:
        return []
    if pretrained.blocks is None:
        raise InputError(
            f"{pretrained.source} has no list of blocks to train the last of; use --set trainable-blocks=0."
        )
    blocks = model.get_submodule(pretrained.blocks)
    assert isinstance(blocks, nn.ModuleList)
    if count > len(blocks):
        raise InputError(f"setting trainable-blocks={count} exceeds the {len(blocks)} blocks of {pretrained.source}.")
    return list(blocks[-count:])


def _check_size(pretrained: Pretrained, size: tuple[int, int]) -> None:
    if size[0] % pretrained.patch or size[1] % pretrained.patch:
        raise InputError(
            f"images of {size[0]}x{size[1]} pixels cannot be cut into patches of {pretrained.patch} for "
            f"{pretrained.source}; set backbone-image-size to a multiple of {pretrained.patch}."
        )


def _residual(width: int) -> nn.Sequential:
    last = nn.Linear(width, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), last)
