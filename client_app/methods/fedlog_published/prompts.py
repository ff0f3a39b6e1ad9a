"""Training the neighbour generator by gradient matching (docs/fedlog.md#prompts)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from client_app.graphs.neighbourhoods import GraphTensors, batch_logits
from common.models.graph_sage import GraphSage, build_graph_sage
from common.models.neighbour_generator import NeighbourGenerator


def train_generator(
    graph: GraphTensors,
    nodes: Tensor,
    labels: Tensor,
    classes: int,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> NeighbourGenerator:
    """A generator whose one neighbour gives a random network the gradients of the true neighbourhood.

    Every epoch has another random network. Nodes without neighbours have nothing to match and are left out; where no
    node has any, the generator stays as it was initialised.

    Args:
        nodes: int64 [t], training nodes; ``labels`` int64 [t], their classes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        width = graph.x_NF.shape[1]
        generator = NeighbourGenerator(width).to(graph.x_NF.device)
        connected = graph.degrees[nodes] > 0
        nodes, labels = nodes[connected], labels[connected]
        optimiser = torch.optim.Adam(generator.parameters(), lr=learning_rate)
        for epoch in range(epochs if len(nodes) else 0):
            network = build_graph_sage(width, classes, seed + 1 + epoch, 0.0, False).to(graph.x_NF.device)
            order = torch.randperm(len(nodes), device="cpu").to(nodes.device)
            for chosen in torch.split(order, batch_size):
                optimiser.zero_grad(set_to_none=True)
                loss = matching_loss(generator, network, graph, nodes[chosen], labels[chosen])
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return generator.eval()


def matching_loss(
    generator: NeighbourGenerator, network: GraphSage, graph: GraphTensors, nodes: Tensor, labels: Tensor
) -> Tensor:
    """How far the generated neighbours' gradients are from the true ones', plus how far they are themselves.

    Gradients of the cross-entropy of ``network``; per tensor the squared distance over the true one's squared norm.
    The neighbour: squared distance to the mean of the true neighbours, averaged over nodes.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    true_loss = F.cross_entropy(batch_logits(network, graph, nodes), labels)
    true = torch.autograd.grad(true_loss, parameters)
    x_BF = graph.x_NF[nodes]
    neighbour_BF = generator(x_BF)
    made_loss = F.cross_entropy(network.slot_logits(x_BF, neighbour_BF, x_BF), labels)
    made = torch.autograd.grad(made_loss, parameters, create_graph=True)
    near: Tensor = ((neighbour_BF - graph.near_NF[nodes]) ** 2).sum(dim=1).mean()
    return gradient_distance(made, true) + near


def gradient_distance(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """Mean over tensors of |made - true|^2 / |true|^2; a true gradient of zero counts by |made|^2 alone."""
    terms = []
    for m, t in zip(made, true, strict=True):
        size = (t.detach() ** 2).sum()
        terms.append(((m - t.detach()) ** 2).sum() / torch.where(size > 0, size, torch.ones_like(size)))
    return torch.stack(terms).mean()
