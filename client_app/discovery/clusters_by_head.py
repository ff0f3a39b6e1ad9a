"""Categories of new data where a run shared none: its clusters, named by the seen-class head of the run's model."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client_app.discovery.clcd import discover
from client_app.discovery.concepts import Concepts
from common.methods.option_groups import DiscoveryOptions
from common.settings import Options

MAJORITY = 0.5
"""Mean probability of a seen class from which on a cluster has its name."""


def cluster_by_head(z_ND: Tensor, centre_D: Tensor, cosines_NC: Tensor, options: Options, *, seed: int) -> Concepts:
    """Cluster samples without labels; a cluster that the head takes for one seen class is that class.

    Args:
        z_ND: unit features; ``centre_D``: the mean that they are centred on.
        cosines_NC: of the samples with the rows of the seen-class head.
        options: of the model's method; the defaults stand in where it has none for discovery.
    """
    probability_NC: NDArray[np.float32] = (cosines_NC / 0.1).softmax(dim=1).numpy()
    found = options if isinstance(options, DiscoveryOptions) else DiscoveryOptions()
    concepts, _ = discover(z_ND, np.full(len(z_ND), -1, dtype=np.int64), centre_D, found, seed=seed)
    names = np.full(len(concepts), -1, dtype=np.int64)
    for q in range(len(concepts) if probability_NC.shape[1] else 0):
        mean_C = probability_NC[concepts.assigned == q].mean(axis=0)
        if mean_C.max() > MAJORITY:
            names[q] = mean_C.argmax()
    return replace(concepts, names=names)
