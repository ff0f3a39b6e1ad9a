import numpy as np
import torch

from client_app.discovery.concepts import Concepts
from client_app.methods.fedlpa.statistics import category_statistics


def test_sums_counts_and_scatter_by_hand_and_nothing_of_a_small_concept():
    rng = np.random.default_rng(0)
    z = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(45, 4)), dtype=torch.float32), dim=1)
    assigned = np.repeat([0, 1, 2], [20, 9, 16])
    concepts = Concepts(assigned, torch.zeros(3, 4), np.array([20, 9, 16]), np.array([-1, -1, 0]))
    centre = z.mean(dim=0)
    found = category_statistics(z, centre, concepts, np.array([2, 1, 0]))
    unit = (z - centre).numpy().astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    assert found["counts"].tolist() == [16, 0, 20]
    np.testing.assert_allclose(found["sums"][0], unit[29:].sum(axis=0), atol=1e-5)
    assert not found["sums"][1].any()
    np.testing.assert_allclose(found["sums"][2], unit[:20].sum(axis=0), atol=1e-5)
    scatter = sum(len(part) * np.cov(part.T, bias=True) for part in (unit[:20], unit[29:]))
    np.testing.assert_allclose(found["scatter"], scatter, atol=1e-5)
