"""The gate's prior, node by node."""

import math

import numpy as np
import torch

from client_app.methods.fedlog.gate import gated_log_prior, home_prior


def _slow(small, seen, counts, shift):
    present = [1.0 if c > 0 else 0.0 for c in counts]
    home = [math.sqrt(c) for c in counts]
    home = [value / sum(home) for value in home]
    away = [(1 - p) / max(1, len(counts) - sum(present)) for p in present]
    rows = []
    for node in range(small.n):
        near = small.neighbours(node)
        share = (sum(seen[other] for other in near) + sum(present) / len(counts)) / (len(near) + 1)
        share = min(max(share, 1e-4), 1 - 1e-4)
        gate = 1 / (1 + math.exp(-(math.log(share / (1 - share)) + shift)))
        gate = 1.0 if seen[node] else gate
        rows.append([math.log(gate * h + (1 - gate) * a + 1e-6) for h, a in zip(home, away, strict=True)])
    return np.array(rows)


def test_every_node_gets_the_prior_of_its_neighbourhood(small):
    seen = [node < 6 for node in range(12)]
    for counts in ([4, 0, 9], [4, 1, 0], [1, 2, 3]):
        for shift in (0.0, 1.0, -2.0):
            found = gated_log_prior(small.graph, torch.tensor(seen), torch.tensor(counts), shift)
            np.testing.assert_allclose(found.numpy(), _slow(small, seen, counts, shift), atol=1e-4)


def test_the_home_prior_goes_with_the_root_of_counts():
    np.testing.assert_allclose(home_prior(torch.tensor([4, 0, 16])).numpy(), [1 / 3, 0, 2 / 3], atol=1e-6)
