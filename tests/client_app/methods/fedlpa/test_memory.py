import numpy as np
import pytest
import torch

from client_app.discovery.clcd import Calibration
from client_app.discovery.concepts import Concepts
from client_app.methods.fedlpa.memory import (
    recall_calibration,
    recall_concepts,
    recall_prior,
    remember_calibration,
    remember_concepts,
    remember_prior,
)
from client_app.state import PrivateState


def _concepts(mark):
    return Concepts(np.array([0, 1, mark]), torch.full((2, 3), float(mark)), np.array([2, mark]), np.array([-1, 4]))


@pytest.fixture
def state(tmp_path):
    return PrivateState(tmp_path, "x")


def _marks(state, *rounds):
    """Which concepts each round starts from, in a fresh process."""
    again = PrivateState(state.path.parent, "x")
    found = [recall_concepts(again, number) for number in rounds]
    return [None if concepts is None else int(concepts.counts[1]) for concepts in found]


def test_a_round_starts_from_the_concepts_found_before_it(state):
    assert _marks(state, 3) == [None]
    remember_concepts(state, _concepts(7), 2.0, 3)
    assert _marks(state, 3, 4, 9) == [None, 7, 7]
    concepts = recall_concepts(state, 4)
    assert concepts.assigned.tolist() == [0, 1, 7]
    assert concepts.names.tolist() == [-1, 4]
    assert torch.equal(concepts.prototypes, torch.full((2, 3), 7.0))


def test_a_round_done_again_starts_from_what_it_started_from_first(state):
    remember_concepts(state, _concepts(7), 2.0, 3)
    remember_concepts(state, _concepts(8), 2.0, 5)
    assert _marks(state, 5, 6) == [7, 8]
    remember_concepts(state, _concepts(9), 2.0, 5)
    assert _marks(state, 5, 6) == [7, 9]


def test_concepts_of_a_later_round_are_an_earlier_runs(state):
    remember_concepts(state, _concepts(6), 2.0, 17)
    remember_concepts(state, _concepts(7), 2.0, 22)
    assert _marks(state, 1, 16, 18, 21) == [None, None, None, None]
    remember_concepts(state, _concepts(8), 2.0, 17)
    assert _marks(state, 17, 18) == [None, 8]


def test_a_calibration_belongs_to_its_round(state):
    remember_calibration(state, Calibration(np.array([0.5, 0.25]), 9), 2)
    remember_calibration(state, Calibration(None, 0), 4)
    again = PrivateState(state.path.parent, "x")
    assert recall_calibration(again, 2).curve.tolist() == [0.5, 0.25]
    assert recall_calibration(again, 2).labels == 9
    assert recall_calibration(again, 3) is None
    assert recall_calibration(again, 4) == Calibration(None, 0)


def test_shares_are_compared_with_those_of_the_round_before_in_a_round_done_again_too(state):
    def seen_before(number):
        return recall_prior(PrivateState(state.path.parent, "x"), number)

    assert seen_before(4) is None
    remember_prior(state, {"cat": 0.75, "novel-1": 0.25}, 4)
    assert seen_before(4) is None
    assert seen_before(5) == {"cat": 0.75, "novel-1": 0.25}
    for _ in range(2):
        remember_prior(state, {"cat": 1.0}, 5)
        assert seen_before(5) == {"cat": 0.75, "novel-1": 0.25}
    assert seen_before(6) == {"cat": 1.0}
    assert seen_before(4) is None
