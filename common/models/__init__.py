"""Networks behind one small interface; importing this package loads torch."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.kind import SampleKind
from common.data.kind_registry import sample_kind
from common.errors import InputError
from common.models.adapter import standardise
from common.models.backbone import Backbone
from common.models.network import LOGIT_TEMPERATURE, Network, all_features
from common.models.pretrained import Pretrained, is_pretrained, load_backbone, with_backbone
from common.settings import AnyConfig

__all__ = [
    "LOGIT_TEMPERATURE",
    "Network",
    "all_features",
    "build_network",
    "feature_width",
    "initial_weights",
    "raw_inputs",
    "restore_network",
    "travelling",
    "with_backbone",
]


def build_network(config: AnyConfig, head_rows: int) -> Network:
    """The network of a resolved configuration, initialised from its seed; leaves the random state alone.

    Raises:
        InputError: the configured model does not exist or does not fit the kind of data.
    """
    kind = sample_kind(config.kind)
    pretrained = _load(config) if _wants_pretrained(config, kind) else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if pretrained is not None:
            backbone = Backbone(pretrained, config.trainable_blocks, config.backbone_image_size)
            return Network(backbone, head_rows, backbone.prepare)
        d_in = config.sample_shape[0] if kind.standardised else 0
        return Network(kind.build(config.sample_shape), head_rows, kind.prepare, d_in)


def restore_network(config: AnyConfig, weights: Mapping[str, NDArray[Any]]) -> Network:
    """The network of a resolved configuration with the given travelling tensors.

    Raises:
        InputError: the tensors are not those of this network.
    """
    head_rows = len(weights["head.weight"]) if "head.weight" in weights else 0
    network = build_network(config, head_rows)
    expected = {name: tuple(tensor.shape) for name, tensor in travelling(network).items()}
    if {name: array.shape for name, array in weights.items()} != expected:
        raise InputError("the weights do not belong to the model described beside them; copy both again.")
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()}, strict=False)
    return network.eval()


def initial_weights(config: AnyConfig, head_rows: int) -> dict[str, NDArray[Any]]:
    """The travelling tensors of a freshly initialised network, by the run's seed."""
    return {name: tensor.numpy() for name, tensor in travelling(build_network(config, head_rows)).items()}


def feature_width(config: AnyConfig) -> int:
    """d, the width of the features of a resolved configuration."""
    kind = sample_kind(config.kind)
    return _load(config).width if _wants_pretrained(config, kind) else kind.width(config.sample_shape)


def raw_inputs(config: AnyConfig, x: Tensor) -> Tensor:
    """Rows ``[n, ...]`` of one site's raw samples that tell which are alike, without any training or other site.

    The features of a pretrained backbone where one is configured; else the prepared samples, flattened, for which a
    standardised kind takes the site's own moments.
    """
    kind = sample_kind(config.kind)
    if kind.image_backbone and is_pretrained(config.model):
        return build_network(config, 0).neighbour_input(x)
    if kind.prepare is not None:
        return kind.prepare(x).flatten(1)
    wide = x.double()
    return standardise(x, wide.mean(dim=0), (wide**2).mean(dim=0))


def travelling(network: Network) -> dict[str, Tensor]:
    """What goes over the wire: every trainable tensor and the network's own buffers, by name, detached."""
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    frozen |= {name for name, _ in network.named_buffers() if name.startswith("backbone.")}
    return {name: tensor.detach() for name, tensor in network.state_dict().items() if name not in frozen}


def _load(config: AnyConfig) -> Pretrained:
    loaded = load_backbone(config.model, config.backbone_hash)
    if config.sample_shape[0] not in (1, loaded.channels):
        raise InputError(
            f"model '{config.model}' takes images of {loaded.channels} channels, the data has "
            f"{config.sample_shape[0]}; convert the images."
        )
    return loaded


def _wants_pretrained(config: AnyConfig, kind: SampleKind) -> bool:
    """Whether a pretrained backbone takes the place of the kind's own network.

    Raises:
        InputError: the configured model does not exist or does not fit the kind of data.
    """
    if is_pretrained(config.model):
        if not kind.image_backbone:
            raise InputError(f"model '{config.model}' takes images, not {kind.name}; use --set model={kind.model}.")
        return True
    if config.model not in ("auto", kind.model):
        raise InputError(f"model '{config.model}' does not fit {kind.name}; use --set model={kind.model}.")
    return False
