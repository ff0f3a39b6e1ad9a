"""What a site writes down about samples whose label it knows: the label."""

import numpy as np
from numpy.typing import NDArray


def name_labelled(
    names: list[str],
    novel: NDArray[np.bool_],
    confidence: NDArray[np.float32],
    labels: NDArray[np.int64],
    seen_classes: tuple[str, ...],
) -> tuple[list[str], NDArray[np.bool_], NDArray[np.float32]]:
    """Predictions of n samples with those of known label set to it, at confidence 1."""
    known = labels >= 0
    named = [seen_classes[label] if label >= 0 else name for name, label in zip(names, labels.tolist(), strict=True)]
    return named, novel & ~known, np.where(known, np.float32(1), confidence).astype(np.float32)
