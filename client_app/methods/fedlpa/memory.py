"""FedLPA's private memory between rounds, in the private state: concepts, calibration, shares of categories."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.discovery.clcd import Calibration
from client_app.discovery.concepts import Concepts
from client_app.state import BEFORE, PrivateState

CONCEPTS = "concepts"
CALIBRATION = "calibration"
PRIOR = "prior"


def remember_concepts(state: PrivateState, concepts: Concepts, resolution: float, round_number: int) -> None:
    """Store the concepts found in ``round_number``."""
    arrays = {
        "assigned": concepts.assigned,
        "prototypes": concepts.prototypes.cpu().numpy(),
        "counts": concepts.counts,
        "names": concepts.names,
    }
    state.remember(CONCEPTS, round_number, arrays, resolution=resolution)


def recall_concepts(state: PrivateState, before_round: int) -> Concepts | None:
    """The last concepts; None before the first discovery.

    Concepts of a later round belong to an earlier run on the same data and are ignored.
    """
    arrays = state.recall(CONCEPTS, before_round)
    if arrays is None:
        return None
    return Concepts(
        assigned=arrays["assigned"].astype(np.int64),
        prototypes=torch.from_numpy(arrays["prototypes"].astype(np.float32)),
        counts=arrays["counts"].astype(np.int64),
        names=arrays["names"].astype(np.int64),
    )


def remember_calibration(state: PrivateState, calibration: Calibration, round_number: int) -> None:
    """Store the curve measured in ``round_number``."""
    curve = np.zeros(0) if calibration.curve is None else calibration.curve
    state.remember(CALIBRATION, round_number, {"curve": curve}, labels=calibration.labels)


def recall_calibration(state: PrivateState, of_round: int) -> Calibration | None:
    """The curve measured in ``of_round``, None if there is none (the site was away)."""
    for kind in (CALIBRATION, CALIBRATION + BEFORE):
        if state.values.get(f"{kind}.round") == of_round:
            curve: NDArray[np.float64] = state.arrays[f"{kind}.curve"].astype(np.float64)
            return Calibration(curve if len(curve) else None, int(state.values[f"{kind}.labels"]))
    return None


def remember_prior(state: PrivateState, shares: Mapping[str, float], round_number: int) -> None:
    """Store the shares of the categories, by name, as ``round_number`` saw them."""
    state.remember(PRIOR, round_number, {}, shares=shares)


def recall_prior(state: PrivateState, before_round: int) -> dict[str, float] | None:
    """The shares that the last look before ``before_round`` saw; None before the first."""
    for kind in (PRIOR, PRIOR + BEFORE):
        if state.values.get(f"{kind}.round", before_round) < before_round:
            return dict(state.values[f"{kind}.shares"])
    return None
