import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from common.discovery.similarity import centred, nearest_neighbours, similarity_graph


def _unit(n, d, seed=0):
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))
    return torch.nn.functional.normalize(x, dim=1)


@pytest.mark.parametrize("block", [1, 7, 10, 11, 64])
def test_neighbours_are_those_of_scikit_learn_whatever_the_block(block):
    z = _unit(31, 5)
    ids, values = nearest_neighbours(z, 4, block=block)
    distance, expected = NearestNeighbors(n_neighbors=5, metric="cosine").fit(z.numpy()).kneighbors(z.numpy())
    np.testing.assert_array_equal(ids.numpy(), expected[:, 1:])
    np.testing.assert_allclose(values.numpy(), 1 - distance[:, 1:], atol=1e-12)


def test_an_edge_leads_to_the_neighbours_id_and_not_to_its_rank():
    # On the circle: 0 next to 3, 1 next to 2. Every rank is 0, so ranks would tie everything to sample 0.
    angle = torch.tensor([0.0, 2.0, 2.1, 0.1], dtype=torch.float64)
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    ids, _ = nearest_neighbours(z, 1)
    assert ids[:, 0].tolist() == [3, 2, 1, 0]
    edges = similarity_graph(z, 1)
    assert list(zip(edges.source.tolist(), edges.target.tolist(), strict=True)) == [(0, 3), (1, 2)]
    np.testing.assert_array_equal(edges.times, [2, 2])


@pytest.mark.parametrize(("n", "k"), [(20, 3), (20, 50), (5, 4), (2, 1), (1, 3)])
def test_graph_is_the_union_of_both_directions_with_weights_added(n, k):
    z = _unit(n, 3, seed=n + k)
    cosine = (z @ z.T).numpy()
    expected = {}
    for i in range(n):
        order = [j for j in np.argsort(-cosine[i]) if j != i][:k]
        for j in order:
            pair = (min(i, j), max(i, j))
            weight, times = expected.get(pair, (0.0, 0))
            expected[pair] = (weight + max(cosine[i, j], 0.0), times + 1)
    expected = {pair: entry for pair, entry in expected.items() if entry[0] > 0}
    edges = similarity_graph(z, k)
    found = {
        (a, b): (w, t)
        for a, b, w, t in zip(
            edges.source.tolist(), edges.target.tolist(), edges.weight, edges.times.tolist(), strict=True
        )
    }
    assert edges.nodes == n
    assert len(found) == len(edges.source)
    assert found.keys() == expected.keys()
    for pair, (weight, times) in expected.items():
        assert found[pair] == (pytest.approx(weight), times)


def test_opposite_samples_have_no_edge():
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert len(similarity_graph(z, 1).source) == 0


def test_centred_rows_are_unit_and_seen_from_the_centre():
    z, centre = _unit(6, 4), torch.full((4,), 0.1, dtype=torch.float64)
    moved = z.numpy() - 0.1
    np.testing.assert_allclose(centred(z, centre), moved / np.linalg.norm(moved, axis=1, keepdims=True))
