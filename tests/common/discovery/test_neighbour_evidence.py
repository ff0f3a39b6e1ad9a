import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from common.discovery.neighbour_evidence import pool_neighbours


def test_logits_are_mixed_with_the_neighbours_mean_three_times():
    """Against a dense matrix and scikit-learn's neighbours."""
    torch.manual_seed(0)
    unit = torch.nn.functional.normalize(torch.rand(60, 5) + 0.2, dim=1)  # every cosine is positive
    logits = torch.randn(60, 4)
    near = NearestNeighbors(n_neighbors=6, metric="cosine").fit(unit.numpy()).kneighbors(return_distance=False)
    relation = np.zeros((60, 60))
    np.put_along_axis(relation, near, 1, axis=1)
    relation = np.maximum(relation, relation.T)
    mean = relation / relation.sum(axis=1, keepdims=True)
    expected = logits.numpy()
    for _ in range(3):
        expected = 0.5 * logits.numpy() + 0.5 * mean @ expected
    np.testing.assert_allclose(pool_neighbours(logits, unit, 6).numpy(), expected, atol=1e-5)


def test_a_sample_on_its_own_keeps_its_evidence():
    apart = torch.eye(3)
    logits = torch.randn(3, 2)
    torch.testing.assert_close(pool_neighbours(logits, apart), logits)
    torch.testing.assert_close(pool_neighbours(logits[:1], apart[:1]), logits[:1])


def test_doubtful_samples_follow_the_group_they_lie_in():
    torch.manual_seed(1)
    middles = torch.eye(2, 8).repeat_interleave(50, dim=0)
    unit = torch.nn.functional.normalize(middles + 0.1 * torch.randn(100, 8), dim=1)
    true = torch.arange(2).repeat_interleave(50)
    logits = torch.nn.functional.one_hot(true, 2) + 1.2 * torch.randn(100, 2)
    alone = (logits.argmax(dim=1) == true).float().mean()
    together = (pool_neighbours(logits, unit).argmax(dim=1) == true).float().mean()
    assert alone < 0.8
    assert together > alone + 0.1
