"""The network of the discovery methods: backbone, projector and seen-class head (docs/method.md#network)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.models.adapter import standardise
from common.models.backbone import Backbone
from common.models.encoder import Encoder

PROJECTION_WIDTH = 64
LOGIT_TEMPERATURE = 0.1


class Network(nn.Module):
    """Backbone f: x -> R^d, projector g: R^d -> R^64, cosine head W: rows x d.

    Buffers travel like weights: ``feature_mean`` [d] is the federation's mean of f; ``input_mean`` and
    ``input_square`` [d_in] standardise the input, where the kind of data asks for it.
    """

    feature_mean: Tensor
    input_mean: Tensor
    input_square: Tensor

    def __init__(
        self, backbone: Encoder, head_rows: int, prepare: Callable[[Tensor], Tensor] | None, d_in: int = 0
    ) -> None:
        """``prepare`` as in ``SampleKind``; without it the samples are rows of ``d_in`` numbers to standardise."""
        super().__init__()
        d = backbone.width
        self.backbone = backbone
        self.projector = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, PROJECTION_WIDTH))
        self.head = nn.Linear(d, head_rows, bias=False) if head_rows else None
        self.register_buffer("feature_mean", torch.zeros(d))
        self._prepare = prepare
        if prepare is None:
            # In float64: the variance is a difference of the two, and dates or ids are large against their spread.
            self.register_buffer("input_mean", torch.zeros(d_in, dtype=torch.float64))
            self.register_buffer("input_square", torch.ones(d_in, dtype=torch.float64))

    @property
    def width(self) -> int:
        """d, the feature width."""
        return self.backbone.width

    @property
    def standardises(self) -> bool:
        """Whether the federation's moments standardise the input."""
        return self._prepare is None

    def prepare(self, x: Tensor) -> Tensor:
        """Raw samples -> what ``features`` and the views work on."""
        return standardise(x, self.input_mean, self.input_square) if self._prepare is None else self._prepare(x)

    def neighbour_input(self, x: Tensor) -> Tensor:
        """Raw samples -> rows ``[n, ...]`` that tell which samples are alike before anything is learnt.

        The features of a pretrained backbone as it was downloaded; else the prepared samples, flattened.
        """
        device = self.feature_mean.device
        if isinstance(self.backbone, Backbone):
            parts = torch.split(x, self.backbone.evaluation_batch)
            return self.backbone.initial_features(self.prepare(part.to(device)) for part in parts)
        return self.prepare(x.to(device)).flatten(1)

    def features(self, prepared: Tensor) -> Tensor:
        """``[n, ...]`` prepared samples -> ``[n, d]`` unit features."""
        return F.normalize(self.backbone(prepared), dim=1)

    def project(self, z_ND: Tensor) -> Tensor:
        """Unit features -> ``[n, 64]`` unit projections."""
        return F.normalize(self.projector(z_ND), dim=1)

    def head_cosines(self, z_ND: Tensor) -> Tensor:
        """Unit features -> ``[n, rows]`` cosines with the head's rows; logits are these over 0.1."""
        if self.head is None:
            return z_ND.new_zeros(len(z_ND), 0)
        return z_ND @ F.normalize(self.head.weight, dim=1).T


@torch.no_grad()
def all_features(network: Network, x: Tensor, batch: int | None = None) -> Tensor:
    """Unit features ``[n, d]`` of raw samples, in evaluation mode and in batches, on the network's device."""
    network.eval()
    device = network.feature_mean.device
    batches = torch.split(x, batch or network.backbone.evaluation_batch)
    parts = [network.features(network.prepare(part.to(device))) for part in batches]
    return torch.cat(parts) if parts else torch.zeros(0, network.width, device=device)
