"""A server sends weights that single out one person, at once or little by little, and reads what comes back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from client_app import model_check
from common.data.dataset import Dataset
from common.models import all_features, restore_network
from tests.attacks.gate import KNOWN, Target, gate_weights, likeness, targets
from tests.attacks.institution import Institution, nothing, told, weights_of, without

TRIALS = 12
UNKNOWN = 64 - KNOWN
STEEP = (10.0, 40.0, 400.0)
"""Gates that leak somewhat and are near, and gates that shut and are far away."""


def standardised(institution: Institution, weights: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    network = restore_network(institution.config, weights)
    return network.prepare(torch.from_numpy(institution.dataset.x)).double().numpy()


@pytest.fixture
def prepared(institution: Institution) -> dict[str, NDArray[Any]]:
    """The model after the first round, which made the scales of the columns."""
    return weights_of(institution.ask(1, institution.start))


@pytest.mark.parametrize("steep", STEEP[1:])
def test_the_gate_works(institution: Institution, prepared: dict[str, NDArray[Any]], steep: float) -> None:
    """Without what protects, the plain mean of the features is one person: the attack is a real one."""
    x = standardised(institution, prepared)
    for target in targets(x, TRIALS):
        network = restore_network(institution.config, gate_weights(prepared, target, steep))
        mean = all_features(network, torch.from_numpy(institution.dataset.x)).double().numpy().mean(axis=0)
        assert likeness(mean, x[target.row]) > 0.95


def test_a_gate_is_refused_as_a_start_and_in_every_later_round(
    institution: Institution, prepared: dict[str, NDArray[Any]]
) -> None:
    gate = gate_weights(prepared, targets(standardised(institution, prepared), 1)[0], STEEP[0])
    nothing(institution.ask(1, gate, run="f" * 16))
    assert "away from the start that the run's seed gives" in institution.events[-1]["reason"]
    nothing(institution.ask(2, gate))
    trained = weights_of(institution.ask(3, prepared))
    nothing(institution.ask(4, gate))
    assert "so it is not one that this run came to" in institution.events[-1]["reason"]
    assert institution.ask(5, trained).has_content()


def test_a_gate_after_missed_rounds_is_refused_by_a_late_site(
    institution: Institution, prepared: dict[str, NDArray[Any]]
) -> None:
    """A site that has sent nothing yet trains once on the run's start to know how long updates are."""
    gate = gate_weights(prepared, targets(standardised(institution, prepared), 1)[0], STEEP[1])
    nothing(institution.ask(4, gate, run="f" * 16))
    assert "away from the start" in institution.events[-1]["reason"]
    assert [path.name for path in (institution.state / "runs" / ("f" * 16)).iterdir()] == ["answers.json"]


def test_a_server_that_takes_no_part_in_between_cannot_save_up_for_a_jump(institution: Institution) -> None:
    """However long a site is left out, a model may have moved by no more than its rounds can have moved it."""
    weights_of(institution.ask(1, institution.start))
    far = {name: array + np.asarray(100, array.dtype) for name, array in institution.start.items()}
    for number in (4, 5):
        nothing(institution.ask(number, far))


@pytest.mark.slow
@pytest.mark.parametrize("steep", STEEP)
def test_little_by_little_over_27_rounds_reads_no_better_than_guessing(
    flower_task: None, tmp_path: Path, digits: Dataset, steep: float
) -> None:
    _little_by_little(tmp_path, digits, steep, 27, TRIALS)


@pytest.mark.runs
def test_little_by_little_over_all_rounds_reads_no_better_than_guessing(
    flower_task: None, tmp_path: Path, digits: Dataset
) -> None:
    _little_by_little(tmp_path, digits, STEEP[0], 12, 6)


def _little_by_little(tmp_path: Path, digits: Dataset, steep: float, rounds: int, trials: int) -> None:
    """Every round the model goes as far towards the gate as the site still accepts, and every reply is read.

    A guess is what is read where that person is not at the site at all: people who are alike tell something too.
    """
    read, guessed = [], []
    for trial in range(trials):
        asked = Institution(tmp_path / f"with-{trial}", digits, rounds=rounds)
        model = weights_of(asked.ask(1, asked.start))
        x = standardised(asked, model)
        target = targets(x, trials)[trial]
        read.append(likeness(_read(asked, model, target, steep), x[target.row]))
        absent = Institution(tmp_path / f"without-{trial}", without(digits, target.row), rounds=rounds)
        guessed.append(likeness(_read(absent, weights_of(absent.ask(1, absent.start)), target, steep), x[target.row]))
    print(f"steep {steep:g}, {rounds} rounds, {trials} persons: {np.mean(read):.3f}, guess {np.mean(guessed):.3f}")
    assert abs(np.mean(read) - np.mean(guessed)) < 4 * np.sqrt(2 / (trials * UNKNOWN)), (read, guessed)


def _read(
    institution: Institution, model: dict[str, NDArray[Any]], target: Target, steep: float
) -> NDArray[np.float64]:
    """The mean features of all rounds, with the weight of how far the gate was built."""
    gate, read = gate_weights(model, target, steep), np.zeros(64)
    whole, last, first = model_check.distance(gate, model), 0.0, 0.0
    for number in range(2, institution.config.rounds + 1):
        allowed, left = model_check.FACTOR * min(last, model_check.GROWTH * first), model_check.distance(gate, model)
        share = min(1.0, 0.99 * allowed / max(left, 1e-9))
        towards = {name: gate[name].astype(np.float64) - model[name] for name in model}
        model = {name: (model[name] + share * towards[name]).astype(model[name].dtype) for name in model}
        reply = institution.ask(number, model)
        if not reply.has_content() or "weights" not in reply.content:
            continue
        sent = weights_of(reply)
        last = model_check.distance(sent, model) or last
        first = first or last
        built = 1 - model_check.distance(gate, model) / whole
        read += built**4 * np.asarray(sent["feature_mean"], np.float64)[:64]
    return read


@pytest.mark.parametrize("steep", STEEP[1:])
def test_even_behind_a_gate_the_mean_that_leaves_is_not_the_person(
    institution: Institution, prepared: dict[str, NDArray[Any]], steep: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the check of the model taken away, what is left is that no mean hangs on fewer than min-samples."""
    monkeypatch.setattr(model_check, "FACTOR", 1e9)
    x = standardised(institution, prepared)
    weights_of(institution.ask(2, prepared))
    target = targets(x, 1)[0]
    reply = institution.ask(3, gate_weights(prepared, target, steep))
    assert abs(likeness(weights_of(reply)["feature_mean"], x[target.row])) < 0.6  # four deviations of chance


def test_scalars_leave_no_more_precisely_than_their_samples_support(
    flower_task: None, tmp_path: Path, digits: Dataset
) -> None:
    """One person moves an accuracy by 1 / n; it leaves on a grid of about 1 / sqrt(n), up or down at random."""
    answers = []
    for run in range(8):
        institution = Institution(tmp_path / f"north-{run}", digits, rounds=6)
        institution.configure("holdout-fraction = 0.5\n")
        model = weights_of(institution.ask(1, institution.start))
        answers.append(told(institution.ask(2, model)))
    accuracies = {answer["seen-accuracy"] for answer in answers}
    grid = 2.0 ** np.ceil(np.log2(0.5 / np.sqrt(66)))
    assert all(abs(value / grid - round(value / grid)) < 1e-9 or value == 1.0 for value in accuracies), accuracies
    means = {tuple(answer[name] for name in sorted(answer) if name.startswith("loss-")) for answer in answers}
    assert len(means) > 1  # the same data, and the last digits are chance
