"""FedLPA's private memory between rounds: concepts and the site's calibration, in the private state.

Each is kept twice, the latest and the one before it: a server that died within a round asks for that round
again, and a site that had already done it must find what it found the first time.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.discovery.clcd import Calibration
from client_app.discovery.concepts import Concepts
from client_app.state import PrivateState

CONCEPTS = "concepts"
CALIBRATION = "calibration"
BEFORE = "-before"


def remember_concepts(state: PrivateState, concepts: Concepts, resolution: float, round_number: int) -> None:
    """Store the concepts found in ``round_number``."""
    arrays = {
        "assigned": concepts.assigned,
        "prototypes": concepts.prototypes.cpu().numpy(),
        "counts": concepts.counts,
        "names": concepts.names,
    }
    remember(state, CONCEPTS, arrays, {"round": round_number, "resolution": resolution})


def recall_concepts(state: PrivateState, before_round: int) -> Concepts | None:
    """The last concepts; None before the first discovery.

    Concepts of a later round belong to an earlier run on the same data and are ignored.
    """
    arrays = recall(state, CONCEPTS, before_round)
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
    remember(state, CALIBRATION, {"curve": curve}, {"round": round_number, "labels": calibration.labels})


def recall_calibration(state: PrivateState, of_round: int) -> Calibration | None:
    """The curve measured in ``of_round``, None if there is none (the site was away)."""
    for kind in (CALIBRATION, CALIBRATION + BEFORE):
        if state.values.get(f"{kind}.round") == of_round:
            curve: NDArray[np.float64] = state.arrays[f"{kind}.curve"].astype(np.float64)
            return Calibration(curve if len(curve) else None, int(state.values[f"{kind}.labels"]))
    return None


def recall(state: PrivateState, kind: str, before_round: int) -> dict[str, NDArray[Any]] | None:
    """The arrays stored under ``kind`` by the last round before ``before_round``; None where there are none."""
    if state.values.get(f"{kind}.round") == before_round:
        kind += BEFORE
    if state.values.get(f"{kind}.round", before_round) >= before_round:
        return None
    return {name.removeprefix(f"{kind}."): array for name, array in state.arrays.items() if name.startswith(f"{kind}.")}


def remember(state: PrivateState, kind: str, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
    """Store ``arrays`` and ``values`` (with their ``round``) under ``kind``; what an earlier round left moves aside."""
    kept_arrays = {f"{kind}.{name}": array for name, array in arrays.items()}
    kept_values = {f"{kind}.{name}": value for name, value in values.items()}
    if state.values.get(f"{kind}.round", values["round"]) < values["round"]:
        kept_arrays |= {f"{kind}{BEFORE}.{name}": state.arrays[f"{kind}.{name}"] for name in arrays}
        kept_values |= {f"{kind}{BEFORE}.{name}": state.values[f"{kind}.{name}"] for name in values}
    state.update(kept_arrays, kept_values)
