import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from client_app.discovery.clcd import Calibration, calibrate, discover
from common.config import make_config

NOTHING = Calibration(None, 0)


def _blobs(sizes, d=8, spread=0.15, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = np.eye(len(sizes), d)[truth] + spread * rng.normal(size=(len(truth), d)) / d**0.5
    return torch.nn.functional.normalize(torch.from_numpy(x.astype(np.float32)), dim=1), truth


def _discover(z, labels, own=NOTHING, federation=None, head=None, **settings):
    options = make_config(settings).options
    return discover(z, labels, z.mean(dim=0), options, own=own, federation=federation, head_cosines=head, seed=0)


def test_separated_blobs_become_concepts_named_after_their_labels():
    z, truth = _blobs([30, 40, 20, 35])
    labels = np.where((np.arange(len(truth)) % 2 == 0) & (truth < 2), truth, -1)
    options = make_config({}).options
    own = calibrate(z, labels, z.mean(dim=0), options, seed=0)
    assert own.labels == (labels >= 0).sum() // 2
    assert own.curve.shape == (8,)
    concepts, resolution = _discover(z, labels, own)
    assert resolution in (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4)
    assert adjusted_rand_score(truth, concepts.assigned) == 1
    for k in range(4):
        (true,) = set(truth[concepts.assigned == k].tolist())
        assert concepts.names[k] == (true if true < 2 else -1)


def test_without_labels_the_fallback_resolution_finds_novel_concepts():
    z, truth = _blobs([30, 40, 20])
    labels = np.full(90, -1)
    assert calibrate(z, labels, z.mean(dim=0), make_config({}).options, seed=0) == NOTHING
    concepts, resolution = _discover(z, labels, **{"fallback-resolution": 1.5})
    assert resolution == 1.5
    assert adjusted_rand_score(truth, concepts.assigned) == 1
    assert (concepts.names == -1).all()


def test_the_federations_curve_helps_a_site_without_labels():
    z, _ = _blobs([20, 20])
    curve = [0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0]
    assert _discover(z, np.full(40, -1), federation=curve)[1] == 1.75


def test_a_fixed_resolution_is_used_and_not_calibrated():
    z, truth = _blobs([20, 20])
    options = make_config({"resolution": 1.3}).options
    assert calibrate(z, truth, z.mean(dim=0), options, seed=0) == NOTHING
    assert _discover(z, truth, resolution=1.3)[1] == 1.3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_samples_is_one_concept_or_few(n):
    z, _ = _blobs([n])
    labels = np.zeros(n, dtype=np.int64)
    own = calibrate(z, labels, z.mean(dim=0), make_config({}).options, seed=0)
    assert own == NOTHING
    concepts, _ = _discover(z, labels, own)
    assert concepts.counts.sum() == n
    assert len(concepts.assigned) == n
    assert np.isfinite(concepts.prototypes.numpy()).all()


def test_reliable_predictions_mend_the_graph_where_asked():
    # One cloud; only the head tells its halves apart.
    rng = np.random.default_rng(0)
    z = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(60, 3)).astype(np.float32)), dim=1)
    half = np.arange(60) % 2
    head = np.where(half[:, None] == np.arange(2), 0.9, 0.0).astype(np.float32)
    head[:8] *= 0.5
    labels = np.where(np.arange(60) < 8, half, -1)
    settings = {"resolution": 1.0, "label-rate-split": False}
    plain, _ = _discover(z, labels, head=head, **settings)
    mended, _ = _discover(z, labels, head=head, **settings, **{"reliable-quantile": 0.5})
    off, _ = _discover(z, labels, head=head, **settings, **{"reliable-quantile": 0.5, "refine-graph": False})

    def purity(concepts):
        return np.mean([half[concepts.assigned == c].mean() in (0, 1) for c in concepts.assigned])

    assert purity(mended) == 1
    assert purity(plain) < 1
    assert purity(off) < 1
