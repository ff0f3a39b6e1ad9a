"""What a site trains: the shared network, and its own synthetic nodes and scaling, which it keeps between rounds."""

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from client_app.graphs.node_data import graph_data
from client_app.graphs.own_model import recall_own
from client_app.method import Task
from common.methods.fedlog_published import PublishedOptions, build_network
from common.models.neighbour_generator import generate
from common.models.prototype_sage import PrototypeSage


class SiteModel(nn.Module):
    """``network`` travels; ``synthetic`` [C, s, F] by branch and ``gamma`` [C] stay, but for what is sent of them."""

    gamma: Tensor

    def __init__(self, network: PrototypeSage, synthetic: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = network
        self.synthetic = nn.ParameterDict({name: nn.Parameter(x_CSF) for name, x_CSF in synthetic.items()})
        self.register_buffer("gamma", torch.zeros(len(next(iter(synthetic.values())))))

    def embedded(self, generators: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Embeddings [C, s, E] of every branch's synthetic nodes, each with its generated neighbour if any."""
        return {name: self._embed(x_CSF, generators) for name, x_CSF in self.synthetic.items()}

    def _embed(self, x_CSF: Tensor, generators: Mapping[str, Tensor] | None) -> Tensor:
        neighbours = None if generators is None else generate(generators, x_CSF).flatten(0, 1)
        own_ME = self.network.embed_bare(x_CSF.flatten(0, 1), neighbours).own_NE
        return own_ME.view(*x_CSF.shape[:2], -1)


def starting_model(task: Task[PublishedOptions]) -> SiteModel:
    """As the run starts: the server's first network, synthetic nodes at random with the spread of the site's data."""
    options, data, network = task.config.options, graph_data(task), build_network(task.config)
    rng = np.random.default_rng([task.config.seed, zlib.crc32(task.site.name.encode())])
    shape = (len(task.config.seen_classes), options.slots_per_class, data.x.shape[1])
    spread = float(data.x.std(correction=0)) if data.x.numel() else 1.0
    synthetic = {
        name: torch.from_numpy((spread * rng.standard_normal(shape)).astype(np.float32)) for name in network.branches
    }
    return SiteModel(network, synthetic).to(task.device)


def site_model(task: Task[PublishedOptions], weights: Mapping[str, NDArray[np.generic]] | None) -> SiteModel:
    """The site's model as its last round left it, with the network replaced by ``weights`` unless None."""
    model = starting_model(task)
    kept = recall_own(task.state, task.plan.round)
    if kept is not None:
        model.load_state_dict(kept)
    if weights is not None:
        model.network.load_state_dict({name: torch.as_tensor(np.asarray(value)) for name, value in weights.items()})
    return model
