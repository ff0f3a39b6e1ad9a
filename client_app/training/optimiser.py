"""The optimiser of one round: fresh each round, weight decay on matrices only."""

import torch
from torch import nn

from common.methods.option_groups import TrainingOptions
from common.models import Network


def make_optimiser(network: nn.Module, options: TrainingOptions, learning_rate: float) -> torch.optim.Optimizer:
    """AdamW, or SGD with momentum 0.9, over the trainable parameters; pretrained ones learn slower."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    slow = {id(p) for p in network.backbone.pretrained_parameters()} if isinstance(network, Network) else set()
    slow_rate = learning_rate * options.pretrained_rate
    groups = [
        {
            "params": [p for p in trainable if (p.ndim >= 2) == matrices and (id(p) in slow) == pretrained],
            "weight_decay": options.weight_decay if matrices else 0.0,
            "lr": slow_rate if pretrained else learning_rate,
        }
        for pretrained in ((False, True) if slow else (False,))
        for matrices in (True, False)
    ]
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=learning_rate)
