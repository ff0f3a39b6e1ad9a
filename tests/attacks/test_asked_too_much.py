"""A server asks for more than the run that a site approved: other settings, other rounds, the same round again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ConfigRecord

from common.data.dataset import Dataset
from common.settings import CONDUCT, Owner, settings_of
from tests.attacks.institution import Institution, nothing, told, weights_of, without

OTHERS = {
    "method": "fedavg-gcd", "image-size": 2048, "seed": 1, "rounds": 7, "seen-classes": ["18", "94"],
    "model": "adapter", "trainable-blocks": 3, "backbone-image-size": 2048, "backbone-hash": "0" * 64,
    "outliers": "clip", "outlier-factor": 9.0, "aggregation": "median", "malicious-clients": 2,
    "central-clip-norm": 1.0, "central-noise-multiplier": 1.0, "kind": "images", "sample-shape": [1, 8, 8],
    "local-epochs": 99, "knn": 999, "batch-size": 2, "share-categories": False, "min-support": 1,
}  # fmt: skip
"""Another value of settings of the run; what is not here is a number and gets doubled, or a switch and is turned."""


def another(key: str, value: object) -> object:
    if key in OTHERS:
        return OTHERS[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 if value else 1
    return {"local": "uniform", "uniform": "local", "federation": "site", "site": "federation"}.get(str(value))


def test_no_setting_of_the_run_can_be_another_than_the_approved_one(institution: Institution) -> None:
    """Nothing is read of the data: the answer is the same where there is none."""
    (institution.folder / "data.parquet").unlink()
    flat, tried = institution.config.flat(), 0
    for key, _, owner in settings_of(type(institution.config.options)):
        value = another(key, flat[key])
        if owner is not Owner.RUN or key in CONDUCT or value is None or value == flat[key]:
            continue

        def change(run: ConfigRecord, key: str = key, value: object = value) -> None:
            import json

            run["config"] = json.dumps({**flat, key: value})

        reply = institution.ask(1, institution.start, change=change)
        assert nothing(reply) == "north has not approved this run; its operator can see what differs"
        event = institution.events[-1]
        assert event["outcome"] == "not-approved", key
        assert key in event["reason"] or "cannot be read" in event["reason"], event["reason"]
        tried += 1
    assert tried > 30


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"seed": 1}', "[" * 100_000, '{"a":' * 9_000, "9" * 2**21])
def test_a_configuration_that_is_none_is_refused(institution: Institution, text: str) -> None:
    reply = institution.ask(1, institution.start, change=lambda run: run.update({"config": text}))
    nothing(reply)
    assert institution.events[-1]["outcome"] == "not-approved"


@pytest.mark.parametrize("setting", ["label-column", "holdout-fraction", "device", "threads", "skip-bad-images"])
def test_what_is_the_sites_own_has_no_effect_in_a_message(institution: Institution, setting: str) -> None:
    value = {"label-column": "hiv", "holdout-fraction": 0.999, "device": "cuda:7", "threads": 200}.get(setting, True)
    changed = institution.config.but(**{setting.replace("-", "_"): value})
    assert told(institution.ask(1, kind="query", config=changed)) == {"samples": 400, "labelled": 59}


def test_nothing_is_asked_for_before_a_run_is_approved(institution: Institution) -> None:
    institution.site = institution.site.replace("approved-run", "# approved-run")
    institution.configure()
    nothing(institution.ask(1, institution.start))
    assert "no run is approved here" in institution.events[-1]["reason"]
    assert "fedlpa site approve --config" in institution.events[-1]["reason"]


def test_a_run_toml_that_was_changed_after_it_was_approved_is_not_worked_by(institution: Institution) -> None:
    path = institution.folder / "run.toml"
    path.write_text(path.read_text().replace("rounds = 6", "rounds = 600"))
    nothing(institution.ask(1, institution.start))
    assert "is not the run that was approved" in institution.events[-1]["reason"]


def test_a_round_asked_for_forty_times_gets_one_reply(institution: Institution) -> None:
    first = institution.ask(1, institution.start)
    again = [institution.ask(1, institution.start) for _ in range(40)]
    for reply in again:
        assert {name: array.tobytes() for name, array in weights_of(reply).items()} == {
            name: array.tobytes() for name, array in weights_of(first).items()
        }
        assert told(reply) == told(first)
    assert [event["outcome"] for event in institution.events] == ["sent"] + ["repeated"] * 40


@pytest.mark.parametrize("number", [0, -1, 7, 1_000_000])
def test_a_round_that_the_run_does_not_have_is_not_answered(institution: Institution, number: int) -> None:
    nothing(institution.ask(number, institution.start))
    assert "out of turn" in institution.events[-1]["reason"]


def test_rounds_do_not_go_back(institution: Institution) -> None:
    weights_of(institution.ask(2, institution.start))
    nothing(institution.ask(1, institution.start))
    assert "round 1 is out of turn: the last one asked for was 2" in institution.events[-1]["reason"]


def test_no_round_is_answered_after_the_delivery(institution: Institution) -> None:
    weights_of(institution.ask(1, institution.start))
    institution.deliver(institution.start)
    nothing(institution.ask(2, institution.start))
    assert "after the final model" in institution.events[-1]["reason"]


def test_another_model_for_an_answered_round_is_refused(institution: Institution) -> None:
    weights_of(institution.ask(1, institution.start))
    other = {name: array + np.asarray(1e-9, array.dtype) for name, array in institution.start.items()}
    nothing(institution.ask(1, other))
    assert "asks something else in round 1" in institution.events[-1]["reason"]


def test_new_names_for_a_run_do_not_make_a_new_budget(institution: Institution) -> None:
    policy = institution.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("max-rounds: 1000", "max-rounds: 3"))
    for n in range(3):
        weights_of(institution.ask(1, institution.start, run=f"{n:016x}"))
    nothing(institution.ask(1, institution.start, run="f" * 16))
    nothing(institution.ask(2, institution.start, run=f"{0:016x}"))
    assert "max-rounds of the policy is 3" in institution.events[-1]["reason"]


@pytest.mark.parametrize("run", ["../../evil", "a/b", "", "A" * 16, "x" * 16, "0" * 100])
def test_the_name_of_a_run_is_no_path(institution: Institution, run: str) -> None:
    nothing(institution.ask(1, institution.start, run=run))
    assert not list(institution.folder.rglob("*evil*"))
    assert {path.name for path in institution.state.iterdir()} <= {"audit.jsonl", "site.log"}


def test_a_policy_without_a_word_on_rounds_has_a_limit(institution: Institution) -> None:
    from client_app.policy import read_policy

    path = institution.folder / "policy.yaml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "max-rounds" not in line))
    assert read_policy(path).max_rounds == 1000


def test_errors_say_the_same_whatever_went_wrong_and_are_all_logged(institution: Institution, digits: Dataset) -> None:
    """A label that the run does not know, broken data, no data, a policy that holds back: one sentence."""
    said = set()

    def try_with(spoil: Callable[[Path], object], number: int) -> None:
        data = institution.folder / "data.parquet"
        before = data.read_bytes()
        spoil(data)
        said.add(nothing(institution.ask(number, institution.start)))
        data.write_bytes(before)

    secret = Dataset(digits.kind, digits.x, ("Anna-Smith", *digits.labels[1:]), digits.ids, "memory")
    try_with(lambda path: institution.put(secret), 1)
    try_with(lambda path: path.write_bytes(b"PAR1 nonsense"), 2)
    try_with(Path.unlink, 3)
    policy = institution.folder / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("min-samples: 5", "min-samples: 401"))
    said.add(nothing(institution.ask(4, institution.start)))
    policy.write_text(text.replace("  - samples\n", ""))
    said.add(nothing(institution.ask(5, institution.start)))
    assert said == {"north sends nothing; its operator can see why"}
    assert [event["outcome"] for event in institution.events] == ["failed"] * 3 + ["held-back"] * 2
    assert "Anna-Smith" in institution.events[0]["reason"]
    assert all(event["bytes"] == 0 and not event["records"] for event in institution.events)


def test_text_from_a_message_forges_no_line_of_a_log(institution: Institution) -> None:
    forged = "x\n2026-01-01 00:00:00,000 INFO all is well \x1b[2J"
    nothing(institution.ask(1, institution.start, change=lambda run: run.update({"run": forged})))
    nothing(institution.ask(1, institution.start, change=lambda run: run.update({"config": '{"' + forged + '": 1}'})))
    for path in (institution.state / "site.log", institution.state / "audit.jsonl"):
        assert not any(line.startswith("2026-01-01") for line in path.read_text().splitlines())
        assert "\x1b" not in path.read_text()
    assert all(len(event["reason"]) <= 500 for event in institution.events)


def test_one_patient_more_is_not_answered_on(institution: Institution, digits: Dataset) -> None:
    """The difference of two answers is that patient, whatever was averaged."""
    institution.put(without(digits, 7))
    first = institution.ask(1, institution.start)
    assert told(first)["samples"] == 399
    institution.put(digits)
    for run, number in (("0123456789abcdef", 2), ("f" * 16, 1)):
        nothing(institution.ask(number, institution.start, run=run))
        assert "1 rows of the data are new or gone" in institution.events[-1]["reason"]
    nothing(institution.ask(1, kind="query", run="e" * 16))


def test_a_label_that_changed_is_a_changed_row_and_five_of_them_may_be_answered_on(
    institution: Institution, digits: Dataset
) -> None:
    weights_of(institution.ask(1, institution.start))
    for changed, answered in ((4, False), (5, True)):
        labels = tuple(None if n < 3 * changed and n % 3 == 0 else label for n, label in enumerate(digits.labels))
        differing = sum(a != b for a, b in zip(labels, digits.labels, strict=True))
        institution.put(Dataset(digits.kind, digits.x, labels, digits.ids, "memory"))
        reply = institution.ask(2 if answered else 3, institution.start, run=f"{changed:016x}")
        assert reply.has_content() == (differing >= 5), (differing, institution.events[-1]["reason"])


def test_two_runs_at_once_keep_their_state_apart(institution: Institution) -> None:
    alone = Institution(institution.folder.parent / "alone", institution.dataset, rounds=6)
    model = institution.start
    for number in range(1, 4):
        for run in ("a" * 16, "b" * 16):
            weights_of(institution.ask(number, model, run=run))
        expected = weights_of(alone.ask(number, model))
        model = {name: array.astype(expected[name].dtype) for name, array in expected.items()}
    kept = {path.name for path in (institution.state / "runs").iterdir()}
    assert kept == {"a" * 16, "b" * 16}
    assert not (institution.state / "site.log").exists()  # nothing was discarded
