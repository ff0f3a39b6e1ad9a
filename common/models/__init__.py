"""Networks behind one small interface; importing this package loads torch."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from common.errors import InputError
from common.models.adapter import Adapter, adapter_width
from common.models.backbone import Backbone
from common.models.convnet import CONVNET_WIDTH, ConvNet
from common.models.network import LOGIT_TEMPERATURE, Network, all_features
from common.models.pretrained import Pretrained, is_pretrained, load_backbone, with_backbone
from common.settings import AnyConfig

PRETRAINED = "pretrained"

__all__ = [
    "LOGIT_TEMPERATURE",
    "Network",
    "all_features",
    "build_network",
    "feature_width",
    "restore_network",
    "travelling",
    "with_backbone",
]


def build_network(config: AnyConfig, head_rows: int) -> Network:
    """The network of a resolved configuration, initialised from its seed; leaves the random state alone.

    Raises:
        InputError: the configured model does not exist or does not fit the kind of data.
    """
    name = _model_name(config)
    pretrained = _load(config) if name == PRETRAINED else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if pretrained is not None:
            backbone = Backbone(pretrained, config.trainable_blocks, config.backbone_image_size)
            return Network(backbone, head_rows, d_in=None)
        if name == "convnet":
            channels, height, width = config.sample_shape
            return Network(ConvNet(channels, height, width), head_rows, d_in=None)
        (d_in,) = config.sample_shape
        return Network(Adapter(d_in), head_rows, d_in=d_in)


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


def feature_width(config: AnyConfig) -> int:
    """d, the width of the features of a resolved configuration."""
    name = _model_name(config)
    if name == PRETRAINED:
        return _load(config).width
    return CONVNET_WIDTH if name == "convnet" else adapter_width(config.sample_shape[0])


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


def _model_name(config: AnyConfig) -> str:
    fitting = {"images": "convnet", "vectors": "adapter"}
    if config.kind not in fitting:
        raise InputError("the configuration does not say what kind of data it is for; set kind and sample-shape.")
    if is_pretrained(config.model):
        if config.kind != "images":
            raise InputError(f"model '{config.model}' takes images, not {config.kind}; use --set model=adapter.")
        return PRETRAINED
    name = fitting[config.kind] if config.model == "auto" else config.model
    if name != fitting[config.kind]:
        raise InputError(f"model '{name}' does not fit {config.kind}; use --set model={fitting[config.kind]}.")
    return name
