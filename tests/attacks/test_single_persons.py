"""A server sends weights that single out one person, at once or little by little, and reads the means that come back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from client_app import model_check
from common.data.dataset import Dataset
from common.models import all_features, restore_network
from tests.attacks.gate import gate_weights, likeness, read_person
from tests.attacks.institution import Institution, nothing, told, weights_of

TRIALS = 12
CHANCE = 3 / np.sqrt(63)
"""Mean correlation of twelve readings that exceeds chance: twelve of 63 numbers each would deviate by .036."""


def standardised(institution: Institution, weights: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    import torch

    network = restore_network(institution.config, weights)
    return network.prepare(torch.from_numpy(institution.dataset.x)).double().numpy()


@pytest.fixture
def prepared(institution: Institution) -> dict[str, NDArray[Any]]:
    """The model after the first round, which made the scales of the columns."""
    return weights_of(institution.ask(1, institution.start))


def test_the_gate_works(institution: Institution, prepared: dict[str, NDArray[Any]]) -> None:
    """Without what protects, the plain mean of the features is one person: the attack is a real one."""
    x = standardised(institution, prepared)
    import torch

    for target in range(TRIALS):
        network = restore_network(institution.config, gate_weights(prepared, x[target]))
        mean = all_features(network, torch.from_numpy(institution.dataset.x)).double().numpy().mean(axis=0)
        assert likeness(read_person(mean, len(x)), x[target][1:]) > 0.999


def test_a_gate_is_refused_as_a_start_and_in_every_later_round(
    institution: Institution, prepared: dict[str, NDArray[Any]]
) -> None:
    x = standardised(institution, prepared)
    gate = gate_weights(prepared, x[5])
    nothing(institution.ask(1, gate, run="f" * 16))
    assert "away from the start that the run's seed gives" in institution.events[-1]["reason"]
    nothing(institution.ask(2, gate))
    trained = weights_of(institution.ask(3, prepared))
    nothing(institution.ask(4, gate))
    assert "so it is not one that this run came to" in institution.events[-1]["reason"]
    assert institution.ask(5, trained).has_content()


def test_a_gate_after_missed_rounds_is_refused_by_a_late_site(institution: Institution) -> None:
    """A site that has sent nothing yet trains once on the run's start to know how long updates are."""
    x = np.asarray(institution.dataset.x, np.float64)
    target = x[5] / np.linalg.norm(x[5]) * 2
    nothing(institution.ask(4, gate_weights(institution.start, target)))
    assert "away from the start" in institution.events[-1]["reason"]
    assert not (institution.state / "runs" / "0123456789abcdef" / "state.safetensors").exists()


def test_little_by_little_over_all_rounds_reads_no_better_than_chance(
    flower_task: None, tmp_path: Path, digits: Dataset
) -> None:
    """Every round the model goes as far towards the gate as the site still accepts; every reply is read."""
    readings = []
    for target in range(TRIALS):
        institution = Institution(tmp_path / f"north-{target}", digits, rounds=12, **{"local-epochs": 1})
        model = weights_of(institution.ask(1, institution.start))
        x = standardised(institution, model)[target]
        gate, read = gate_weights(model, x), np.zeros(63)
        last = first = 0.0
        for number in range(2, 13):
            allowed = model_check.FACTOR * min(last, model_check.GROWTH * first)
            towards = {name: gate[name].astype(np.float64) - model[name] for name in model}
            share = min(1.0, 0.99 * allowed / model_check.distance(gate, model)) if allowed else 0.0
            model = {name: (model[name] + share * towards[name]).astype(model[name].dtype) for name in model}
            reply = institution.ask(number, model)
            if not reply.has_content() or "weights" not in reply.content:
                continue
            sent = weights_of(reply)
            last = model_check.distance(sent, model) or last
            first = first or last
            read += read_person(sent["feature_mean"] - model["feature_mean"], 400)
        readings.append(likeness(read, x[1:]))
    assert abs(np.mean(readings)) < CHANCE, readings


def test_even_behind_a_gate_the_means_that_leave_are_not_the_persons(
    institution: Institution, prepared: dict[str, NDArray[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the check of the model taken away, what is left is that no mean hangs on fewer than min-samples."""
    monkeypatch.setattr(model_check, "FACTOR", 1e9)
    x = standardised(institution, prepared)
    model, read = weights_of(institution.ask(2, prepared)), []
    for target in range(3):
        reply = institution.ask(
            3 + target, {**gate_weights(prepared, x[target]), "feature_mean": model["feature_mean"]}
        )
        if "weights" in reply.content:
            read.append(likeness(read_person(weights_of(reply)["feature_mean"], 400), x[target][1:]))
    assert read
    assert np.abs(read).max() < 0.5, read


def test_scalars_tell_no_attribute_of_a_chosen_person(flower_task: None, tmp_path: Path, digits: Dataset) -> None:
    """The attribute: has this person the label? Two sites that differ in it answer alike within what is random."""
    answers = []
    for run in range(8):
        institution = Institution(tmp_path / f"north-{run}", digits, rounds=6)
        institution.configure("holdout-fraction = 0.5\n")
        model = weights_of(institution.ask(1, institution.start))
        answers.append(told(institution.ask(2, model)))
    accuracies = {answer["seen-accuracy"] for answer in answers}
    grid = 2.0 ** np.ceil(np.log2(0.5 / np.sqrt(66)))
    assert all(abs(value / grid - round(value / grid)) < 1e-9 or value == 1.0 for value in accuracies), accuracies
    assert len(accuracies) > 1  # the same data, and the last digit is chance
