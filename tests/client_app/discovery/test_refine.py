import numpy as np
import torch
from scipy.special import softmax

from client_app.discovery.refine import refine, reliable_classes
from common.discovery.similarity import similarity_graph


def test_labels_pull_together_keep_apart_or_leave_alone():
    rng = np.random.default_rng(0)
    z = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(40, 3))), dim=1)
    known = rng.integers(-1, 3, 40)
    edges = similarity_graph(z, 5)
    expected = []
    for a, b, weight, times in zip(edges.source, edges.target, edges.weight, edges.times, strict=True):
        if known[a] < 0 or known[b] < 0:
            expected.append((a, b, weight))
        elif known[a] == known[b]:
            expected.append((a, b, float(times)))  # cosine 1 from each end that names the other
    found = refine(edges, known)
    assert list(zip(found.source, found.target, found.weight, strict=True)) == expected
    assert found.nodes == edges.nodes
    assert {1, 2} == set(edges.times.tolist())
    assert len(expected) < len(edges.source)


def test_predictions_above_the_quantile_of_the_labelled_ones_are_reliable():
    rng = np.random.default_rng(1)
    cosines = rng.uniform(-1, 1, (80, 3)).astype(np.float32)
    labels = np.where(rng.random(80) < 0.4, rng.integers(0, 3, 80), -1)
    probability = softmax(cosines / 0.1, axis=1)
    expected = labels.copy()
    for i in np.flatnonzero(labels < 0):
        c = probability[i].argmax()
        reference = sorted(probability[j].max() for j in range(80) if labels[j] >= 0 and probability[j].argmax() == c)
        middle = len(reference) // 2
        median = reference[middle] if len(reference) % 2 else (reference[middle - 1] + reference[middle]) / 2
        if probability[i].max() > median:
            expected[i] = c
    found = reliable_classes(cosines, labels, 0.5)
    np.testing.assert_array_equal(found, expected)
    assert (found[labels < 0] >= 0).any()
    assert (found[labels < 0] < 0).any()


def test_the_whole_quantile_range():
    cosines = np.array([[0.9, 0], [0.5, 0], [0.7, 0], [0.95, 0], [0, 0.9]], np.float32)
    labels = np.array([0, 0, -1, -1, -1])
    assert reliable_classes(cosines, labels, 0.0).tolist() == [0, 0, 0, 0, -1]
    assert reliable_classes(cosines, labels, 1.0).tolist() == [0, 0, -1, 0, -1]


def test_without_a_labelled_sample_or_a_head_nothing_becomes_reliable():
    labels = np.array([-1, -1])
    assert reliable_classes(np.ones((2, 2), np.float32), labels, 0.0).tolist() == [-1, -1]
    assert reliable_classes(np.zeros((2, 0), np.float32), np.array([3, -1]), 0.5).tolist() == [3, -1]
