"""The initial global weights of a run."""

import numpy as np
from numpy.typing import NDArray

from common.settings import AnyConfig


def initial_weights(config: AnyConfig, head_rows: int) -> dict[str, NDArray[np.float32]]:
    """The travelling tensors of a freshly initialised network, by the run's seed."""
    from common.models import build_network, travelling

    return {name: tensor.numpy() for name, tensor in travelling(build_network(config, head_rows)).items()}
