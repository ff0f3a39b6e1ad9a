import numpy as np
import pytest
import torch

from client_app.discovery.concepts import Concepts
from client_app.evaluation import health, prior_drift, seen_accuracy
from client_app.site_data import SiteData


def site_data(labels, truth=None, kept_labels=None):
    n = len(labels)
    return SiteData(
        tuple(map(str, range(n))),
        torch.zeros(n, 1),
        np.array(labels),
        None if truth is None else np.array(truth),
        "",
        np.full(n, -1) if kept_labels is None else np.array(kept_labels),
    )


COSINES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def test_in_benchmarks_unlabelled_samples_of_seen_classes_are_scored():
    data = site_data([0, -1, -1, -1, -1], truth=[1, 1, 1, 2, -1])
    assert seen_accuracy(COSINES, data) == pytest.approx(1 / 2)


def test_at_a_real_site_held_out_labels_are_scored():
    data = site_data([0, -1, -1, -1, -1], kept_labels=[-1, 0, 0, 0, -1])
    assert seen_accuracy(COSINES, data) == pytest.approx(2 / 3)
    assert seen_accuracy(COSINES, site_data([0, -1, -1, -1, -1])) is None


def test_drift_is_the_total_variation_distance():
    assert prior_drift({"a": 0.5, "b": 0.5}, {"a": 0.5, "c": 0.5}) == pytest.approx(0.5)
    assert prior_drift({"a": 1.0}, {"a": 1.0}) == 0


def test_signs_of_health():
    z = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1]] * 12 + [[0.1, 1.0]] * 4), dim=1)
    assigned = np.array([0] * 12 + [1] * 4)
    concepts = Concepts(assigned, torch.eye(2), np.array([12, 4]), np.array([-1, -1]))
    signs = health(z, torch.zeros(2), concepts, concepts)
    assert signs["tiny-share"] == pytest.approx(4 / 16)
    assert signs["stability"] == 1
    assert signs["silhouette"] == pytest.approx(1, abs=1e-5)
