"""What FedLoG brings to an epoch: slots as tensors, and the prior that corrects logits (docs/fedlog.md#training)."""

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.graphs.epoch import SlotTensors
from common.methods.fedlog.slots import Slots


def slot_tensors(slots: Slots, device: torch.device | str = "cpu") -> SlotTensors | None:
    """The tensors of ``slots``; None where there is no slot."""
    if not len(slots):
        return None
    parts = (slots.x, slots.near, slots.far, slots.labels, slots.weights())
    return SlotTensors(*(torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts))


def training_prior(counts_C: NDArray[np.int64]) -> NDArray[np.float64]:
    """pi [C]: half the site's class shares, half uniform over all classes; sum 1, never 0.

    Uniform over the classes with slots only would be no correction at all for the rest: their logits would go
    untrained, and large groups, which leave classes without slots, would cost 5 points on seen nodes.
    """
    own = counts_C / max(1, counts_C.sum())
    return np.asarray((own + 1 / len(counts_C)) / 2, dtype=np.float64)
