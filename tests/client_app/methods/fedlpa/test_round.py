"""FedLPA's round at a site: what leaves in which phase, what stays, and that a round asked twice is answered alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from client_app.bounded_mean import EVERY_ROUND
from client_app.method import Answer
from common.methods.discovery_common import RESOLUTIONS
from common.models import all_features, restore_network
from tests.client_app.near import assert_noisy_mean

ROUNDS = 8
PHASES = ["preparation", "warm-up", "discovery", "refinement", "refinement", "refinement", "closing", "head"]
BASE = {"samples", "labelled"}
LOOKED = BASE | {"seen-accuracy", "discovery-seconds"}
WARM = {"loss-total", "loss-contrastive", "loss-supervised"}
REFINED = WARM | {"loss-self-distillation", "loss-prior-alignment"}
CURVE = {"calibration-curve", "calibration-labels"}
FOUND = {"concepts", "resolution", "silhouette", "tiny-share"}


@pytest.fixture
def begin(start: Callable[..., Any]) -> Callable[..., Any]:
    def make(**settings: object) -> Any:
        quick = {"calibration_hidings": 1, "infomap_trials": 1}
        return start(rounds=ROUNDS, warmup_rounds=1, **quick, **settings)

    return make


def shared(sent: Answer) -> dict[str, np.ndarray]:
    """The catalogue that a federation of this one site has."""
    record = sent.records["catalogue"]
    numbers = np.where(record["names"] < 0, np.cumsum(record["names"] < 0), 0)
    return {**record, "numbers": numbers, "own": np.arange(len(numbers))}


class Played:
    """All rounds with one site, each as it was asked and answered."""

    def __init__(self, site: Any, records: Any, last: int = ROUNDS, twice: bool = False) -> None:
        self.asked: dict[int, Any] = {}
        self.answers: dict[int, Answer] = {}
        self.kept: dict[int, set[str]] = {}
        for number in range(1, last + 1):
            self.asked[number] = dict(records)
            answer = self.answers[number] = site.ask(number, records)
            if twice:
                site.ask_again(number, answer, records)
            self.kept[number] = set(site.state.arrays) | set(site.state.values)
            records = {**records, **{k: v for k, v in answer.records.items() if k == "weights"}}
            if "catalogue" in answer.records and number < ROUNDS:
                records["catalogue"] = shared(answer)


def test_what_leaves_in_each_phase(begin: Callable[..., Any]) -> None:
    site, records = begin()
    assert [site.task(number).plan.phase for number in range(1, ROUNDS + 1)] == PHASES
    played = Played(site, records)
    rows, truth = {"catalogue", "truth"}, {"truth"}
    assert [set(answer.records) for answer in played.answers.values()] == [
        {"weights"}, {"weights"}, {"weights"} | rows, {"weights"} | truth, {"weights"} | truth, {"weights"} | truth,
        rows, rows,
    ]  # fmt: skip
    assert [set(answer.metrics) for answer in played.answers.values()] == [
        BASE,
        LOOKED | WARM | CURVE,
        LOOKED | REFINED | FOUND,
        LOOKED | REFINED,
        LOOKED | REFINED | {"prior-drift"},
        LOOKED | REFINED | {"prior-drift"} | CURVE,
        LOOKED | FOUND | {"stability"},
        LOOKED | {"loss-total"},
    ]
    assert {answer.metrics["samples"] for answer in played.answers.values()} == {len(site.data)}
    assert played.answers[1].metrics["labelled"] == (site.data.labels >= 0).sum()


def test_a_round_asked_for_again_is_answered_alike_to_the_bit(begin: Callable[..., Any]) -> None:
    """The state on the disk holds what the first time left; the rounds after it see no difference either."""
    once = Played(*begin(folder="once"))
    twice = Played(*begin(folder="twice"), twice=True)
    for number, answer in once.answers.items():
        metrics = {n: v for n, v in answer.metrics.items() if n != "discovery-seconds"}
        assert metrics == {n: v for n, v in twice.answers[number].metrics.items() if n != "discovery-seconds"}
    for name, array in once.answers[6].records["weights"].items():
        np.testing.assert_array_equal(array, twice.answers[6].records["weights"][name])


def test_concepts_calibration_and_shares_stay_in_the_private_state(begin: Callable[..., Any]) -> None:
    site, records = begin()
    played = Played(site, records)
    assert played.kept[1] == set()
    assert {f"concepts.{name}" for name in ("assigned", "prototypes", "counts", "names")} <= played.kept[3]
    assert "calibration.curve" in played.kept[2]
    assert not any(name.startswith("concepts") for name in played.kept[2])
    assert any(name.startswith("prior") for name in played.kept[4] - played.kept[3])
    assert site.state.path.stat().st_mode & 0o777 == 0o600
    assert len(site.state.arrays["concepts.assigned"]) == len(site.data)
    of_every_sample = {
        (number, record, name)
        for number, answer in played.answers.items()
        for record, arrays in answer.records.items()
        for name, array in arrays.items()
        if len(site.data) in array.shape
    }
    assert of_every_sample == set()


def test_preparation_measures_the_input_and_nothing_else(begin: Callable[..., Any]) -> None:
    site, records = begin()
    sent = site.ask(1, records).records["weights"]
    x = site.data.x.numpy().astype(np.float64)
    assert_noisy_mean(sent["input_mean"], x)
    assert (sent["input_square"] > sent["input_mean"] ** 2).all()
    for name in sent.keys() - {"input_mean", "input_square"}:
        np.testing.assert_array_equal(sent[name], records["weights"][name], err_msg=name)


def test_training_moves_the_weights_and_measures_the_features_before_it(begin: Callable[..., Any]) -> None:
    site, records = begin()
    prepared = site.ask(1, records).records["weights"]
    records = {"weights": {**prepared, "feature_mean": prepared["feature_mean"] + np.float32(0.01)}}  # a federation's
    network = restore_network(site.config, records["weights"])
    sent = site.ask(2, records).records["weights"]
    assert_noisy_mean(sent["feature_mean"], all_features(network, site.data.x).numpy(), noise=EVERY_ROUND)
    moved = {name for name in sent if not np.array_equal(sent[name], records["weights"][name])}
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert moved == learning | {"feature_mean"}


def test_the_counts_are_those_of_the_concepts_by_truth_row_for_row(begin: Callable[..., Any]) -> None:
    site, records = begin()
    answer = Played(site, records, last=3).answers[3]
    state, sent = site.state.arrays, answer.records["catalogue"]
    assigned, counts = state["concepts.assigned"], answer.records["truth"]["counts"]
    assert len(sent["rows"]) >= 2
    for row, concept in enumerate(np.flatnonzero(state["concepts.counts"] >= site.config.options.min_support)):
        members = np.flatnonzero(assigned == concept)
        assert sent["counts"][row] == len(members)
        assert sent["rows"][row] @ state["concepts.prototypes"][concept] > 0.9
        assert not np.allclose(sent["rows"][row], state["concepts.prototypes"][concept], atol=1e-4)
        hidden = [site.data.truth[i] for i in members if site.data.labels[i] < 0]
        assert counts[row].tolist() == [hidden.count(c) for c in range(len(site.config.classes))]
    assert counts.sum() == (site.data.labels < 0).sum()


def test_drift_is_how_far_the_shares_of_categories_moved_since_the_round_before(begin: Callable[..., Any]) -> None:
    """Total variation, from the shares that stayed at the site."""
    site, records = begin()
    played = Played(site, records, last=5)
    catalogue = played.asked[5]["catalogue"]

    def by_name(number: int) -> dict[tuple[int, int], float]:
        network = restore_network(site.config, played.asked[number]["weights"])
        centre = network.feature_mean.numpy()
        z = all_features(network, site.data.x).numpy() - centre
        rows = catalogue["rows"] - centre
        cosine = (z / np.linalg.norm(z, axis=1)[:, None]) @ (rows / np.linalg.norm(rows, axis=1)[:, None]).T
        found: dict[tuple[int, int], float] = {}
        for k in cosine.argmax(axis=1):
            key = (int(catalogue["names"][k]), int(catalogue["numbers"][k]))
            found[key] = found.get(key, 0.0) + 1 / len(z)
        return found

    before, now = by_name(4), by_name(5)
    drift = sum(abs(before.get(key, 0.0) - now.get(key, 0.0)) for key in {*before, *now}) / 2
    assert played.answers[5].metrics["prior-drift"] == pytest.approx(drift, abs=1e-6)


def test_the_federations_curve_chooses_the_resolution_where_the_site_has_no_labels(begin: Callable[..., Any]) -> None:
    site, records = begin(labelled_fraction=0.0)
    for peak in (1, 5):
        curve = tuple(float(i == peak) for i in range(len(RESOLUTIONS)))
        assert site.ask(3, records, curve=curve).metrics["resolution"] == RESOLUTIONS[peak]
    assert "calibration-curve" not in site.ask(2, records).metrics


def test_a_strict_run_keeps_its_categories_at_the_site(begin: Callable[..., Any]) -> None:
    site, records = begin(share_categories=False)
    played = Played(site, records)
    assert {r for answer in played.answers.values() for r in answer.records} == {"weights", "truth"}
    assert "loss-prior-alignment" in played.answers[4].metrics  # over the site's own concepts


def test_statistics_leave_once_and_only_where_they_are_asked_for(begin: Callable[..., Any]) -> None:
    site, records = begin(category_statistics=True)
    played = Played(site, records)
    assert [n for n, answer in played.answers.items() if "statistics" in answer.records] == [ROUNDS]
    assert site.task(ROUNDS).plan.phase == "closing"  # the statistics give the head: no rounds train one
    sent = played.answers[ROUNDS].records
    assert len(sent["statistics"]["sums"]) == len(sent["catalogue"]["rows"])


@pytest.mark.parametrize("lost", ["the catalogue", "its rows in it", "its memory", "enough samples"])
def test_without_rows_of_its_own_a_site_trains_none_in_a_head_round(begin: Callable[..., Any], lost: str) -> None:
    site, records = begin()
    asked = Played(site, records).asked[ROUNDS]
    if lost == "the catalogue":
        del asked["catalogue"]
    elif lost == "its rows in it":
        asked["catalogue"] = {**asked["catalogue"], "own": np.zeros(0, np.int64)}
    elif lost == "its memory":
        site.state.path.unlink()
        far = -asked["catalogue"]["rows"][:1]  # a row with nothing near it: who cannot say how many, sends none
        asked["catalogue"] = {
            **{name: np.append(array, array[:1]) for name, array in asked["catalogue"].items() if name != "rows"},
            "rows": np.concatenate([asked["catalogue"]["rows"], far]),
            "own": np.array([len(asked["catalogue"]["rows"])]),
        }
    else:
        site = type(site)(site.config.but(min_support=999), site.site)
    answer = site.ask(ROUNDS, asked)
    assert "catalogue" not in answer.records
    assert "loss-total" not in answer.metrics
    assert ("truth" in answer.records) == (lost != "the catalogue")


def test_an_institution_sends_no_truth_and_measures_by_the_labels_it_held_out(begin: Callable[..., Any]) -> None:
    site, records = begin(real=True)
    assert site.data.truth is None
    played = Played(site, records)
    assert {r for answer in played.answers.values() for r in answer.records} == {"weights", "catalogue"}
    network = restore_network(site.config, played.asked[2]["weights"])
    cosines = network.head_cosines(all_features(network, site.data.x))
    held = site.data.kept_labels >= 0
    right = (cosines.argmax(dim=1).numpy() == site.data.kept_labels)[held].mean()
    assert held.any()
    assert played.answers[2].metrics["seen-accuracy"] == pytest.approx(right)


def test_a_run_too_short_for_a_preparation_standardises_by_the_sites_own_columns(start: Callable[..., Any]) -> None:
    site, records = start(rounds=1)
    sent = site.ask(1, records).records["weights"]
    assert_noisy_mean(sent["input_mean"], site.data.x.numpy())
    assert not torch.equal(torch.from_numpy(sent["feature_mean"]), torch.zeros(len(sent["feature_mean"])))
