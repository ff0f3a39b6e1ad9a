"""The cells of a benchmark with a stand-in for ``fedlpa simulate``: what is run again, and what is kept."""

import json
import sys
import time

import psutil
import pytest

from common.config import make_config
from common.run.metrics import DiscoveryFinal, RunMetrics, Split
from fedlpa.benchmark import cells as module
from fedlpa.benchmark.cells import Cell, run_cell, simulate_command

STUB = """
import json, pathlib, sys
folder, config, how, overwrite = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "True"
with open(folder.parent / "calls", "a") as calls:
    calls.write(f"{folder.name} {overwrite}\\n")
if how == "refuse":
    sys.exit("fedlpa: the error is that there is no data")
if folder.exists() and any(folder.iterdir()) and not overwrite and (folder / "metrics.json").exists():
    sys.exit("finished already")
folder.mkdir(exist_ok=True)
if how == "die-early":
    (folder / "sites").mkdir()
    sys.exit(1)
(folder / "config.json").write_text(config)
if how == "break":
    sys.exit("Error: broke off")
(folder / "metrics.json").write_text(json.dumps({"final": {"global": {"all": 0.5}}}))
"""


def _cell(name, **settings):
    return Cell(name, {"rows": 100, **settings}, {"seed": 0})


@pytest.fixture
def go(tmp_path):
    """Runs cells, each ending as ``how`` says; returns the results and what was called."""

    def run(cells, **how):
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)

        def command(cell, folder, overwrite):
            config = make_config({**cell.settings, "classes": "a,b", "seen-classes": "a", "out": str(folder)})
            ending = how.get(cell.name, "work")
            return [sys.executable, "-c", STUB, str(folder), config.to_json(), ending, str(overwrite)]

        results = [run_cell(cell, tmp_path, command) for cell in cells]
        return results, calls.read_text().splitlines() if calls.exists() else []

    return run


def test_finished_cells_are_kept_with_their_metrics(go):
    first, calls = go([_cell("a"), _cell("b")])
    assert [r.status for r in first] == ["done", "done"]
    assert calls == ["a False", "b False"]
    again, calls = go([_cell("a"), _cell("b"), _cell("c")])
    assert [r.status for r in again] == ["kept", "kept", "done"]
    assert calls == ["c False"]
    assert [r.metrics for r in again] == [RunMetrics(final=DiscoveryFinal(global_=Split(all=0.5)))] * 3


def test_a_failed_cell_says_why_and_the_rest_goes_on(go, tmp_path):
    results, _ = go([_cell("a"), _cell("b"), _cell("c")], b="refuse")
    assert [r.status for r in results] == ["done", "failed", "done"]
    assert "exit status 1" in results[1].error
    assert "there is no data" in results[1].error
    assert "there is no data" in (tmp_path / "b.log").read_text()
    again, calls = go([_cell("a"), _cell("b"), _cell("c")])
    assert [r.status for r in again] == ["kept", "done", "kept"]
    assert calls == ["b False"]


def test_an_interrupted_cell_goes_on_and_is_not_started_over(go):
    go([_cell("a")], a="break")
    results, calls = go([_cell("a")])
    assert (results[0].status, calls) == ("done", ["a False"])


def test_a_cell_that_died_before_it_was_a_run_is_started_over(go):
    go([_cell("a")], a="die-early")
    results, calls = go([_cell("a")])
    assert (results[0].status, calls) == ("done", ["a False"])


@pytest.mark.parametrize("before", ["work", "break"])
def test_a_cell_with_other_settings_is_run_again(go, before):
    go([_cell("a", knn=10)], a=before)
    results, calls = go([_cell("a", knn=7)])
    assert (results[0].status, calls) == ("done", ["a True"])


def test_a_changed_default_makes_another_run_and_a_new_setting_does_not(go, tmp_path):
    go([_cell("a"), _cell("b")])
    for name, change in (("a", {"knn": 3}), ("b", {"threads": 7, "out": "elsewhere"})):
        path = tmp_path / name / "config.json"
        config = json.loads(path.read_text()) | change
        del config["alpha"]  # as if that setting had not been there yet
        path.write_text(json.dumps(config))
    results, _ = go([_cell("a"), _cell("b")])
    assert [r.status for r in results] == ["done", "kept"]


def test_a_cell_that_takes_too_long_is_ended_with_all_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 8.0)
    child = "import time; time.sleep(600)"
    start = f"p = subprocess.Popen([sys.executable, '-c', {child!r}])"
    parent = f"import subprocess, sys; {start}; print(p.pid, flush=True); p.wait()"
    result = run_cell(_cell("a"), tmp_path, lambda *given: [sys.executable, "-c", parent])
    assert result.status == "failed"
    assert "too long" in result.error
    pid = int((tmp_path / "a.log").read_text())
    end = time.monotonic() + 20
    while _alive(pid) and time.monotonic() < end:  # a killed process is gone a moment later
        time.sleep(0.1)
    assert not _alive(pid)


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_command_carries_every_setting_as_text(tmp_path):
    cell = _cell("a", method="fedlpa", **{"share-categories": False, "seen-classes": ["x", "y"], "alpha": 0.2})
    command = simulate_command(cell, tmp_path / "a", True)
    given = [command[i + 1] for i, part in enumerate(command) if part == "--set"]
    assert given == ["rows=100", "method=fedlpa", "share-categories=false", "seen-classes=x,y", "alpha=0.2"]
    assert command[-3:] == ["--out", str(tmp_path / "a"), "--overwrite"]
    assert "--overwrite" not in simulate_command(cell, tmp_path / "a", False)
