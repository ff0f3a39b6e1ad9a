"""The optimiser of one round: fresh each round, weight decay on matrices only."""

import torch
from torch import nn

from common.methods.options import TrainingOptions


def make_optimiser(network: nn.Module, options: TrainingOptions, learning_rate: float) -> torch.optim.Optimizer:
    """AdamW, or SGD with momentum 0.9, over the trainable parameters."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=learning_rate)
