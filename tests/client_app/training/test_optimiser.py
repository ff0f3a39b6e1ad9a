import pytest
import torch

from client_app.training.optimiser import make_optimiser
from common.config import make_config
from common.models import build_network


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_only_matrices_decay(name, kind):
    config = make_config({"kind": "images", "sample-shape": [1, 8, 8], "optimizer": name, "weight-decay": 0.5})
    network = build_network(config, 2)
    for parameter in network.parameters():
        torch.nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    frozen = network.projector[0].weight
    frozen.requires_grad_(False)
    frozen.grad = None
    optimiser = make_optimiser(network, config.options, 0.1)
    assert type(optimiser) is kind
    optimiser.step()
    for parameter in network.parameters():
        decays = parameter.ndim >= 2 and parameter is not frozen
        assert torch.allclose(parameter, torch.full_like(parameter, 0.95 if decays else 1.0))


def test_sgd_has_momentum():
    config = make_config({"optimizer": "sgd", "weight-decay": 0})
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    optimiser = make_optimiser(layer, config.options, 1.0)
    for expected in (-1.0, -2.9):
        layer.weight.grad = torch.ones(1, 1)
        optimiser.step()
        assert layer.weight.item() == pytest.approx(expected)
