"""The suites on graphs: every cell is a run that can be made, and each variant differs from what it is told against."""

import pytest

from common.config import make_config
from fedlpa.benchmark import graph_ablations
from fedlpa.benchmark import graph_suite as graphs
from fedlpa.benchmark.request import Request
from fedlpa.benchmark.score_rows import Row


@pytest.fixture
def shared(tmp_path, monkeypatch):
    (tmp_path / "cora.npz").touch()
    monkeypatch.setenv("FEDLPA_SHARED_DATA", str(tmp_path))
    return tmp_path


def test_every_part_that_is_taken_out_is_another_run(shared):
    suite = graph_ablations.suite(Request(shared / "out", seeds=(0,)))
    configs = {cell.labels["variant"]: make_config(cell.settings) for cell in suite.cells}
    assert configs.keys() == graph_ablations.VARIANTS.keys()
    assert len({config.to_json() for config in configs.values()}) == len(configs)
    methods = {config.method for config in configs.values()}
    assert methods == {"fedlog", "fedlog-published"}


def test_a_part_brings_the_form_that_it_is_told_against(shared):
    request = Request(shared / "out", seeds=(0, 1), methods=("published-no-metric",), data=("cora-3",))
    cells = graph_ablations.suite(request).cells
    assert [cell.labels["variant"] for cell in cells] == ["published"] * 2 + ["published-no-metric"] * 2


def test_differences_are_to_the_same_form():
    means = {"fedlog": 0.5, "fedlog-tau-0": 0.4, "published": 0.8, "published-no-metric": 0.9}
    rows = [Row({"data": "d", "variant": name, "scored": ""}, 1, 0, {"seen": value}) for name, value in means.items()]
    graph_ablations.sections(rows)
    gains = [row.mean["seen_gain"] for row in rows]
    assert gains == pytest.approx([0, -0.1, 0, 0.1])


def test_the_published_form_is_scored_before_and_after_averaging(shared):
    request = Request(shared / "out", seeds=(0,), methods=("fedlog-published",), data=("cora-3",))
    assert [cell.labels["scored"] for cell in graphs.suite(request).cells] == ["", "before-averaging"]
