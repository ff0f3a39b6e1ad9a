import pytest
from scipy.stats import spearmanr

from common.run.record import RoundRecord
from fedlpa.benchmark.cells import Cell, Result
from fedlpa.benchmark.health_signs import health_section, signs_of


def _run(tmp_path, data, method, seed, measures):
    cell = Cell(f"{data}-{method}-{seed}", {}, {"data": data, "method": method, "seed": seed})
    return Result(cell, "done", tmp_path), measures


def test_the_last_value_of_every_sign_is_taken(tmp_path):
    records = [
        RoundRecord(round=1, scores={"seen_accuracy": 0.1}, health={"stability": 0.5, "silhouette": 0.2}),
        RoundRecord(round=2, scores={"seen_accuracy": 0.9}, health={"stability": 0.7}),
        RoundRecord(round=3, scores={"seen_accuracy": None}),
    ]
    (tmp_path / "rounds.jsonl").write_text("".join(record.to_line() for record in records))
    assert signs_of(tmp_path) == {
        "health_seen_accuracy": 0.9,
        "health_stability": 0.7,
        "health_silhouette": 0.2,
    }


def test_ranks_are_scipys_and_only_fedlpas_runs_count(tmp_path):
    all_scores, stability = [0.9, 0.7, 0.8, 0.95], [0.6, 0.5, 0.9, 0.8]
    runs = [
        _run(tmp_path, "digits", "fedlpa", i, {"global_all": a, "health_stability": s, "health_silhouette": 0.5})
        for i, (a, s) in enumerate(zip(all_scores, stability, strict=True))
    ]
    runs.append(_run(tmp_path, "digits", "fedavg-gcd", 0, {"global_all": 0.1, "health_stability": 1.0}))
    runs.append(_run(tmp_path, "digits", "fedlpa", 9, {"newcomer_adapt": 0.1}))
    (section,) = health_section(runs)
    (row,) = section.rows
    assert row.runs == 4
    assert row.mean == {"stability": pytest.approx(spearmanr(stability, all_scores).statistic)}


def test_data_sets_are_ranked_apart_and_together(tmp_path):
    runs = [
        _run(tmp_path, data, "fedlpa", i, {"global_all": base + 0.01 * i, "health_tiny_share": 0.2 - 0.01 * i})
        for data, base in (("digits", 0.9), ("embeddings", 0.7))
        for i in range(4)
    ]
    (section,) = health_section(runs)
    assert [row.labels["data"] for row in section.rows] == ["digits", "embeddings", "all"]
    assert [row.mean["tiny_share"] for row in section.rows][:2] == [pytest.approx(-1), pytest.approx(-1)]


def test_too_few_runs_make_no_table(tmp_path):
    runs = [_run(tmp_path, "digits", "fedlpa", i, {"global_all": i, "health_stability": i}) for i in range(3)]
    assert health_section(runs) == []
