import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from client_app.discovery.clusters_by_head import cluster_by_head
from common.config import make_config
from common.settings import Options


def _blobs(sizes, d=8, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = np.eye(len(sizes), d)[truth] + 0.15 * rng.normal(size=(len(truth), d)) / d**0.5
    return torch.nn.functional.normalize(torch.from_numpy(x.astype(np.float32)), dim=1), truth


def test_a_cluster_has_the_name_of_the_class_that_the_head_sees_in_most_of_it():
    z, truth = _blobs([30, 40, 20])
    cosines = torch.zeros(len(z), 3)
    cosines[truth == 1, 0] = 1.0
    cosines[truth == 2, 1] = torch.from_numpy(np.arange(20) < 4).float()  # a fifth, and a third of the rest: 47 %
    cosines[truth == 0, 1] = 0.08  # 53 % in every sample
    concepts = cluster_by_head(z, z.mean(dim=0), cosines, make_config({}).options, seed=0)
    assert adjusted_rand_score(truth, concepts.assigned) == 1
    name_of = {int(truth[concepts.assigned == k][0]): int(concepts.names[k]) for k in range(3)}
    assert name_of == {0: 1, 1: 0, 2: -1}
    confidence = concepts.confidence(z, z.mean(dim=0))
    assert confidence.shape == (len(z),)
    assert confidence.min() > 0.9


def test_without_seen_classes_or_discovery_options_clusters_stay_unnamed():
    z, truth = _blobs([30, 40, 20])
    concepts = cluster_by_head(z, z.mean(dim=0), torch.zeros(len(z), 0), Options(), seed=0)
    assert adjusted_rand_score(truth, concepts.assigned) == 1
    assert set(concepts.names.tolist()) == {-1}
