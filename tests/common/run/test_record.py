"""Lines of ``rounds.jsonl`` as records: what comes back unchanged, what is tolerated, and what is not."""

import json

import pytest
from pydantic import ValidationError

from common.errors import InputError
from common.run.metrics import DiscoveryFinal, GraphFinal, RunMetrics
from common.run.record import RoundRecord, read_rounds

LINE = {
    "round": 3, "rounds": 9, "phase": "closing", "loss": {"total": 2.0, "a_term": 0.1},
    "scores": {"global": None, "local": {"all": 1.0, "old": None}, "averaged": {"seen": 0.25}, "seen_accuracy": 0.5},
    "categories": {"found": 11, "true": None}, "concepts": {"site-10": 4, "site-2": 7}, "health": {"stability": 0.5},
    "clients": {
        "asked": 3, "answered": 1, "sat_out": ["site-0"], "failed": [{"site": "site-1", "reason": "gone"}],
        "refused": [], "outliers": [{"site": "site-2", "norm": 4.0, "limit": 2.5}],
    },
    "privacy": {
        "delta": 1e-05, "rounds": 2, "covers": "weights",
        "local": {"clip_norm": 1.0, "noise_multiplier": 0.0, "epsilon": None},
    },
    "bytes": {"up": 1000, "down": 10},
    "seconds": {"round": 2.0, "client_compute": 1.5, "discovery": 0.0, "server": 1e-9},
}  # fmt: skip


@pytest.mark.parametrize("left_out", [None, "privacy"])
def test_a_line_comes_back_byte_by_byte(left_out):
    line = json.dumps({key: value for key, value in LINE.items() if key != left_out}) + "\n"
    assert RoundRecord.model_validate_json(line).to_line() == line


@pytest.mark.parametrize(
    "lack",
    [{}, {"phase": None, "loss": None, "scores": None, "clients": None}, {"clients": {"failed": None}}, {"new": 1}],
)
def test_what_a_record_lacks_is_empty_and_what_is_not_known_passed_over(lack):
    assert RoundRecord.model_validate({"round": 1, **lack}) == RoundRecord(round=1)


@pytest.mark.parametrize("value", ["text", float("inf"), float("nan"), [1, 2]])
def test_what_is_no_number_makes_no_record(value):
    with pytest.raises(ValidationError):
        RoundRecord(round=1, health={"odd": value})


def test_lines_are_read_in_order_the_last_of_each_round_and_whole_ones_only(tmp_path):
    path = tmp_path / "rounds.jsonl"
    assert read_rounds(path) == []
    told = [RoundRecord(round=n, phase=phase) for n, phase in ((1, ""), (3, ""), (2, "early"), (2, "late"))]
    path.write_text("".join(record.to_line() for record in told) + '[]\n{"phase": "none"}\n' + told[0].to_line()[:-9])
    assert [(record.round, record.phase) for record in read_rounds(path)] == [(1, ""), (2, "late"), (3, "")]


def test_final_scores_of_both_kinds_and_those_not_known_here_come_back(tmp_path):
    part = {"all": 0.5, "old": None, "new": 0.25}
    graph = {"validation": 1.0, "seen": 0.5, "unseen_node": None, "missing_class": None, "new_client": None}
    found = {"found": 9, "true": 10}
    finals = (
        {
            "global": part, "local": part, "concepts": {"global": part, "local": part}, "seen_accuracy": 0.5,
            "categories": found,
        },
        {**graph, "by_model": {"own": graph}, "by_site": {}, "by_class": {}, "categories": found},
        {**graph, "categories": found, "far_away": 0.5, "elsewhere": {"all": 0.25}},
    )  # fmt: skip
    for kind, final in zip((DiscoveryFinal, GraphFinal, GraphFinal), finals, strict=True):
        metrics = RunMetrics.model_validate({"method": "m", "data": "d", "final": final})
        assert isinstance(metrics.final, kind)
        assert metrics.to_json()["final"] == final
        assert list(metrics.to_json()["final"]) == list(final)
        (tmp_path / "metrics.json").write_text(json.dumps(metrics.to_json()))
        assert RunMetrics.read(tmp_path / "metrics.json") == metrics


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "is not valid JSON"), ("[]", "holds no JSON object"), ("{}", "final"), ('{"final": 1}', "final")],
)
def test_a_file_without_metrics_is_told(tmp_path, text, told):
    assert RunMetrics.read(tmp_path / "metrics.json") is None
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=told):
        RunMetrics.read(tmp_path / "metrics.json")
