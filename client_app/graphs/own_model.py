"""The model that stays at a site, between rounds. A round that is asked for twice starts from the same one."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from client_app.state import PrivateState

OWN = "own"


def recall_own(state: PrivateState, before_round: int) -> dict[str, Tensor] | None:
    """The tensors that the last round before ``before_round`` left; None if there are none."""
    kept = state.recall(OWN, before_round)
    if kept is None:
        return None
    return {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in kept.items()}


def remember_own(state: PrivateState, network: nn.Module, number: int) -> None:
    """Store the network as round ``number`` left it."""
    state.remember(OWN, number, tensors_of(network))


def tensors_of(network: nn.Module) -> Mapping[str, NDArray[np.float32]]:
    """All tensors of a network as NumPy arrays, by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
