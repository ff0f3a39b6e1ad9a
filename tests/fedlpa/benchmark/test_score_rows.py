import numpy as np
import pandas as pd
import pytest

from common.run.metrics import RunMetrics
from fedlpa.benchmark.score_rows import SCORES, Column, Row, cell, markdown, measures_of, percent, summarise


def _cells(seed=0, failed=()):
    rng = np.random.default_rng(seed)
    found = []
    for place in ("here", "there"):
        for method in ("x", "y"):
            for run in range(4):
                measures = {"global_all": rng.random(), "seconds": 100 * rng.random()}
                if method == "y":
                    measures["global_all"] = None
                name = {"place": place, "method": method, "seed": run}
                found.append((name, None if (place, method, run) in failed else measures))
    return found


def test_means_and_deviations_are_those_of_pandas():
    cells = _cells(failed={("here", "x", 2)})
    frame = pd.DataFrame([labels | measures for labels, measures in cells if measures is not None])
    frame["global_all"] = frame["global_all"].astype(float)
    expected = frame.groupby(["place", "method"])[["global_all", "seconds"]].agg(["mean", "std"])
    rows = summarise(cells)
    assert [(r.labels["place"], r.labels["method"]) for r in rows] == list(expected.index)
    assert [(r.runs, r.failed) for r in rows] == [(3, 1), (4, 0), (4, 0), (4, 0)]
    for row in rows:
        for measure in ("global_all", "seconds"):
            for how, found in (("mean", row.mean), ("std", row.std)):
                value = expected.loc[(row.labels["place"], row.labels["method"]), (measure, how)]
                if np.isnan(value):
                    assert measure not in found
                else:
                    assert found[measure] == pytest.approx(value)


def test_one_run_has_no_deviation_and_none_that_ended_has_no_numbers():
    one, none = summarise([({"m": "a", "seed": 0}, {"s": 0.5}), ({"m": "b", "seed": 0}, None)])
    assert (one.mean, one.std) == ({"s": 0.5}, {})
    assert (none.mean, none.runs, none.failed) == ({}, 0, 1)


def test_cells_as_they_are_printed():
    row = Row({"m": "a"}, 2, 0, {"s": 0.9314, "categories_found": 11, "categories_true": 10}, {"s": 0.0126})
    assert cell(row, percent("s", "")) == "93.1 ± 1.3"
    assert cell(row, Column("categories_found", "")) == "11.0 / 10"
    assert cell(row, Column("absent", "")) == "–"


def test_the_markdown_is_a_table_that_tells_failures():
    rows = summarise(_cells(failed={("there", "y", 0)}))
    lines = markdown(rows, ("place", "method"), SCORES).splitlines()
    assert {line.count("|") for line in lines} == {12}
    assert lines[0].startswith("| place | method | global All |")
    assert lines[2].startswith("| here | x | ")
    assert "| y (1 of 4 failed) | – |" in lines[-1]


def test_the_measures_of_a_run():
    part = {"all": 0.9, "old": 0.8, "new": None}
    metrics = {
        "final": {"global": part, "local": {"all": 0.7}, "categories": {"found": 11, "true": 10}},
        "seconds": {"total": 12.5},
        "wire": {"up_bytes_per_client_round": 7, "down_bytes_per_client_round": 8},
    }
    found = measures_of(RunMetrics.model_validate(metrics))
    assert found["global_all"] == 0.9
    assert found["global_new"] is None
    assert found["local_all"] == 0.7
    assert found["concepts_global_all"] is None
    assert (found["categories_found"], found["up_bytes"], found["seconds"]) == (11, 7, 12.5)
