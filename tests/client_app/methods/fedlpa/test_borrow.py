import numpy as np
import torch

from client_app.discovery.concepts import Concepts
from client_app.methods.fedlpa.borrow import borrow_names

AXES = torch.eye(4)


def _concepts(rows, names):
    m = len(rows)
    return Concepts(np.arange(m), torch.nn.functional.normalize(rows, dim=1), np.full(m, 20), np.array(names))


def _borrow(concepts, labels, names, threshold=0.9):
    return borrow_names(
        concepts, np.array(labels), AXES[: len(names)], np.array(names), torch.zeros(4), threshold
    ).names.tolist()


def test_a_class_that_the_site_never_labels_is_named_by_the_federation():
    concepts = _concepts(AXES[:3] + 0.05, [-1, 1, -1])
    assert _borrow(concepts, [1, 1, -1], [0, 1, -1]) == [0, 1, -1]


def test_a_class_that_the_site_labels_is_left_to_its_labels():
    concepts = _concepts(AXES[:1], [-1])
    assert _borrow(concepts, [0, -1], [0]) == [-1]


def test_what_is_not_near_enough_stays_novel():
    between = _concepts(torch.tensor([[1.0, 0.9, 0, 0]]), [-1])
    assert _borrow(between, [-1], [0, -1]) == [-1]
    assert _borrow(between, [-1], [0, -1], threshold=0.5) == [0]
    assert _borrow(_concepts(AXES[:1], [-1]), [-1], [0], threshold=1) == [-1]


def test_the_nearest_row_decides_even_if_a_seen_class_is_near_too():
    concepts = _concepts(torch.tensor([[0.95, 1.0, 0, 0]]), [-1])
    assert _borrow(concepts, [-1], [0, -1], threshold=0.3) == [-1]


def test_cosines_are_taken_from_the_centre():
    concepts = _concepts(torch.tensor([[1.0, 0.2, 0, 0]]), [-1])
    centre = torch.tensor([0.9, 0.2, 0, 0])
    rows, names = torch.tensor([[0.8, 0.6, 0, 0]]), np.array([0])
    assert borrow_names(concepts, np.array([-1]), rows, names, torch.zeros(4), 0.85).names.tolist() == [0]
    assert borrow_names(concepts, np.array([-1]), rows, names, centre, 0.85).names.tolist() == [-1]


def test_nothing_to_borrow_from_or_for_changes_nothing():
    concepts = _concepts(AXES[:2], [-1, -1])
    assert _borrow(concepts, [-1], []) == [-1, -1]
    empty = _concepts(AXES[:0], [])
    assert _borrow(empty, [-1], [0]) == []
