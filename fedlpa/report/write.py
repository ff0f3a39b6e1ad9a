"""Building a run's report with the features of its own model."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.methods.registry import get_method
from common.run.model_files import Model, load_model
from fedlpa.report.embedding_map import Features


def write_report(run: Path) -> Path:
    """Write ``report.html`` of a finished run and return its path."""
    from fedlpa.report.build import build_report

    model = load_model(run / "model")
    mapped = bool(model.weights) and get_method(model.config.method).embeds_samples
    return build_report(run, features_of(model) if mapped else None)


def features_of(model: Model) -> Features:
    """A function from data sets to unit features ``[n, d]`` of the model."""
    import torch

    from common.models import all_features, restore_network

    network = restore_network(model.config, model.weights)

    def features(dataset: Dataset) -> NDArray[np.float32]:
        unit_features: NDArray[np.float32] = all_features(network, torch.from_numpy(dataset.x)).numpy()
        return unit_features

    return features
