"""Tests share the cores with each other: one thread each, as the clients of a simulation have."""

import torch

torch.set_num_threads(1)
