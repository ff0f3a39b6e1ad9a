"""A small convolutional backbone for tiny images (8 to 64 pixels)."""

from torch import Tensor, nn

from common.models.encoder import Encoder

CONVNET_WIDTH = 128


class ConvNet(Encoder):
    """3x3 convolutions with group norm, halved until at most 4 pixels are left, then one linear layer.

    ``[n, channels, height, width]`` -> ``[n, 128]``.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_block(channels, 32, stride=1)]
        inner, h, w = 32, height, width
        while max(h, w) > 4:
            layers.append(_block(inner, min(128, 2 * inner), stride=2))
            inner, h, w = min(128, 2 * inner), (h + 1) // 2, (w + 1) // 2
        layers += [_block(inner, 128, stride=1), nn.Flatten(), nn.Linear(128 * h * w, CONVNET_WIDTH)]
        self.layers = nn.Sequential(*layers)
        self.width = CONVNET_WIDTH

    def forward(self, x: Tensor) -> Tensor:
        """Unnormalised features."""
        out: Tensor = self.layers(x)
        return out


def _block(inner: int, outer: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 3, padding=1, stride=stride), nn.GroupNorm(8, outer), nn.GELU())
