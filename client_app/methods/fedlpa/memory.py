"""FedLPA's private memory between rounds: concepts and the site's calibration, in the private state."""

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.discovery.clcd import Calibration
from client_app.discovery.concepts import Concepts
from client_app.state import PrivateState


def remember_concepts(state: PrivateState, concepts: Concepts, resolution: float, round_number: int) -> None:
    """Store the concepts found in ``round_number``."""
    state.update(
        {
            "concepts.assigned": concepts.assigned,
            "concepts.prototypes": concepts.prototypes.cpu().numpy(),
            "concepts.counts": concepts.counts,
            "concepts.names": concepts.names,
        },
        {"concepts.round": round_number, "concepts.resolution": resolution},
    )


def recall_concepts(state: PrivateState, before_round: int) -> Concepts | None:
    """The last concepts; None before the first discovery.

    Concepts of a later round belong to an earlier run on the same data and are ignored.
    """
    if state.values.get("concepts.round", before_round) >= before_round:
        return None
    arrays = state.arrays
    return Concepts(
        assigned=arrays["concepts.assigned"].astype(np.int64),
        prototypes=torch.from_numpy(arrays["concepts.prototypes"].astype(np.float32)),
        counts=arrays["concepts.counts"].astype(np.int64),
        names=arrays["concepts.names"].astype(np.int64),
    )


def remember_calibration(state: PrivateState, calibration: Calibration, round_number: int) -> None:
    """Store the curve measured in ``round_number``."""
    curve = np.zeros(0) if calibration.curve is None else calibration.curve
    state.update(
        {"calibration.curve": curve},
        {"calibration.round": round_number, "calibration.labels": calibration.labels},
    )


def recall_calibration(state: PrivateState, of_round: int) -> Calibration | None:
    """The curve measured in ``of_round``, None if there is none (the site was away)."""
    if state.values.get("calibration.round") != of_round:
        return None
    curve: NDArray[np.float64] = state.arrays["calibration.curve"].astype(np.float64)
    return Calibration(curve if len(curve) else None, int(state.values["calibration.labels"]))
