"""The model that stays at a site, between rounds. A round that is asked for twice starts from the same one."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from client_app.state import PrivateState

OWN, BEFORE = "own", "own-before"


def recall_own(state: PrivateState, before_round: int) -> dict[str, Tensor] | None:
    """The tensors that the last round before ``before_round`` left; None if there are none."""
    for kind in (OWN, BEFORE):
        if state.values.get(f"{kind}.round", before_round) < before_round:
            prefix = f"{kind}."
            return {
                name.removeprefix(prefix): torch.from_numpy(np.array(array, dtype=np.float32))
                for name, array in state.arrays.items()
                if name.startswith(prefix)
            }
    return None


def remember_own(state: PrivateState, network: nn.Module, round_number: int) -> None:
    """Store the network as round ``round_number`` left it; what an earlier round left moves aside."""
    arrays: dict[str, NDArray[np.generic]] = {}
    values: dict[str, int] = {f"{OWN}.round": round_number}
    last = state.values.get(f"{OWN}.round")
    if last is not None and last < round_number:
        arrays |= {
            BEFORE + name.removeprefix(OWN): array for name, array in state.arrays.items() if name.startswith(f"{OWN}.")
        }
        values[f"{BEFORE}.round"] = last
    arrays |= {f"{OWN}.{name}": array for name, array in tensors_of(network).items()}
    state.update(arrays, values)


def tensors_of(network: nn.Module) -> Mapping[str, NDArray[np.float32]]:
    """All tensors of a network as NumPy arrays, by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
