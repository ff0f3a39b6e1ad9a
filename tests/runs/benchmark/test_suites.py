"""Which cells the suites consist of, and a whole small one through the installed command."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from common.config import make_config
from common.errors import InputError, RunFailedError
from common.methods.registry import training_sites
from common.run.metrics import DiscoveryFinal, RunMetrics, Split
from fedlpa.benchmark import ablations
from fedlpa.benchmark import gcd_suite as gcd
from fedlpa.benchmark.cells import Cell, Result
from fedlpa.benchmark.progress import CellsView
from fedlpa.benchmark.request import Request, read_alphas, read_counts, read_names, read_seeds
from fedlpa.benchmark.score_rows import Row
from fedlpa.benchmark.suite import run_suite
from fedlpa.benchmark.suites import run_benchmark


@pytest.fixture
def no_shared_data(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDLPA_SHARED_DATA", str(tmp_path / "nowhere"))


def _request(tmp_path, **given):
    return Request(tmp_path / "out", **given)


def test_gcd_is_every_method_on_every_place(tmp_path, monkeypatch):
    for name in ("cifar10-embeddings-train.parquet", "cifar10-train.parquet"):
        (tmp_path / name).touch()
    monkeypatch.setenv("FEDLPA_SHARED_DATA", str(tmp_path))
    suite = gcd.suite(_request(tmp_path))
    assert suite.skipped == []
    places = {tuple(cell.labels[key] for key in ("data", "alpha", "clients", "method", "seed")) for cell in suite.cells}
    assert len(places) == 3 * 2 * 2 * 7 * 3
    newcomers = [cell for cell in suite.cells if cell.settings["held-out-sites"]]
    assert len(suite.cells) == len(places) + len(newcomers)
    assert {cell.labels["method"] for cell in newcomers} == {"fedlpa"}
    assert {(cell.settings["clients"], cell.labels["clients"]) for cell in newcomers} == {(6, 5)}
    assert len({cell.name for cell in suite.cells}) == len(suite.cells)
    for cell in suite.cells:
        config = make_config(cell.settings)
        assert config.seed == cell.labels["seed"]
        assert training_sites(config) == (1 if cell.labels["method"] == "centralised" else cell.labels["clients"])
    rows = {cell.labels["data"]: cell.settings.get("rows") for cell in suite.cells}
    assert rows == {"digits": None, "embeddings": 8000, "images": 4000}


@pytest.mark.usefixtures("no_shared_data")
def test_gcd_can_be_narrowed_to_some_places(tmp_path):
    request = _request(tmp_path, methods=("fedlpa",), seeds=(0,), alphas=read_alphas("0.5"), clients=read_counts("10"))
    (cell,) = gcd.suite(request).cells
    assert (cell.labels["alpha"], cell.labels["clients"]) == (0.5, 10)
    assert read_alphas("") is read_counts(" ") is None
    for text in ("0", "x", "-1", "inf", "nan", "0.2,y"):
        with pytest.raises(InputError, match="--alphas"):
            read_alphas(text)
    for text in ("0", "2.5", "-1"):
        with pytest.raises(InputError, match="--clients"):
            read_counts(text)
    with pytest.raises(InputError, match="ablations' takes neither"):
        run_benchmark("ablations", _request(tmp_path, clients=(5,)))


@pytest.mark.usefixtures("no_shared_data")
def test_data_that_is_not_there_is_left_out_with_a_reason(tmp_path):
    suite = gcd.suite(_request(tmp_path))
    assert {cell.labels["data"] for cell in suite.cells} == {"digits"}
    assert len(suite.skipped) == 2
    assert all("FEDLPA_SHARED_DATA" in sentence for sentence in suite.skipped)
    with pytest.raises(InputError, match="images is left out"):
        gcd.suite(_request(tmp_path, data=("images",)))


def test_each_ablation_changes_one_thing(tmp_path):
    suite = ablations.suite(_request(tmp_path, seeds=(4,)))
    default, *others = suite.cells
    assert default.labels["variant"] == "default"
    assert len(others) >= 11
    base = make_config(default.settings).flat()
    for cell in others:
        flat = make_config(cell.settings).flat()
        changed = {key for key in base if flat[key] != base[key]}
        two = {"no-lpa", "unlabelled-sites-2-no-borrowing", "alpha-0.05-10-sites"}
        assert 1 <= len(changed) <= (2 if cell.labels["variant"] in two else 1), cell.name


def test_ablations_tell_the_difference_to_the_default(tmp_path):
    rows = [Row({"data": "d", "variant": v}, 1, 0, {"global_all": s}, {}) for v, s in (("default", 0.9), ("x", 0.84))]
    (section,) = ablations.sections(rows)
    assert section.rows[1].mean["global_all_gain"] == pytest.approx(-0.06)
    assert "local_all_gain" not in section.rows[1].mean


def test_settings_go_to_the_methods_that_have_them(tmp_path):
    suite = gcd.suite(_request(tmp_path, quick=True, settings={"knn": "7", "threads": "2"}))
    has = {cell.labels["method"]: "knn" in cell.settings for cell in suite.cells}
    assert has == {name: name not in ("fedavg-simgcd", "fedavg-gcd") for name in gcd.METHODS}
    assert all(cell.settings["threads"] == "2" for cell in suite.cells)
    assert {(cell.settings["rows"], cell.settings["rounds"], cell.labels["clients"]) for cell in suite.cells} == {
        (400, 5, 3)
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"methods": ("fedlpq",)}, "unknown method 'fedlpq' of this benchmark; did you mean 'fedlpa'"),
        ({"data": ("digit",)}, "unknown benchmark data 'digit'; did you mean 'digits'"),
        ({"settings": {"knm": "3"}}, "unknown setting 'knm'; did you mean 'knn'"),
        ({"settings": {"seed": "3"}}, "setting 'seed' is the benchmark's own"),
        ({"settings": {"knn": "many"}}, "knn=many is not valid"),
    ],
)
def test_wrong_requests_are_refused_before_anything_runs(tmp_path, given, said):
    with pytest.raises(InputError, match=said):
        run_benchmark("gcd", _request(tmp_path, **given))
    assert not (tmp_path / "out").exists()


def test_an_unknown_suite_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="did you mean 'gcd'"):
        run_benchmark("gdc", _request(tmp_path))


def test_lists_on_the_command_line():
    assert read_names(" a,b , a") == ("a", "b")
    assert read_names("") is read_seeds(" ") is None
    assert read_seeds("2, 0") == (2, 0)
    with pytest.raises(InputError, match="seed '-1'"):
        read_seeds("-1")


def _stub(text):
    """A command that leaves a run's files without running anything; fails for seed 1."""

    def command(cell, folder, overwrite):
        config = make_config({**cell.settings, "classes": "a,b"}).to_json()
        code = (
            f"import pathlib, sys; f = pathlib.Path({str(folder)!r}); f.mkdir(parents=True)\n"
            f"if {cell.labels['seed']} == 1: sys.exit('Error: seed 1 is unlucky')\n"
            f"(f / 'config.json').write_text({config!r}); (f / 'metrics.json').write_text({text!r})"
        )
        return [sys.executable, "-c", code]

    return command


def test_results_are_written_although_a_cell_failed(tmp_path, capsys):
    part = {"all": 0.5, "old": 0.25, "new": 0.75}
    metrics = {
        "final": {"global": part, "local": part, "categories": {"found": 9, "true": 10}},
        "seconds": {"total": 2.0},
        "wire": {"up_bytes_per_client_round": 1000, "down_bytes_per_client_round": 1000},
    }
    request = _request(tmp_path, seeds=(0, 1, 2), methods=("default",))
    with pytest.raises(RunFailedError, match=r"1 of 3 cells failed.*seed 1 is unlucky"):
        run_suite(ablations.suite(request), request.out, command=_stub(json.dumps(metrics)))
    results = json.loads((request.out / "results.json").read_text())
    assert [cell["status"] for cell in results["cells"]] == ["done", "failed", "done"]
    assert results["summary"][0]["mean"]["global_new"] == 0.75
    assert results["summary"][0]["runs"] == 2
    assert results["versions"]["flwr"].startswith("1.39")
    assert results["machine"]["cpus"] > 0
    page = (request.out / "results.md").read_text()
    assert "50.0 ± 0.0" in page
    assert "1 of 3 failed" in page
    assert capsys.readouterr().out == page + "\n"
    assert (request.out / "chart.svg").read_text().count("<svg") == 1


def test_a_run_that_cannot_be_judged_is_a_failed_cell(tmp_path):
    request = _request(tmp_path, seeds=(0,), methods=("default",))
    with pytest.raises(RunFailedError, match="cannot be judged"):
        run_suite(ablations.suite(request), request.out, command=_stub("{}"))
    assert (request.out / "results.json").exists()


def test_without_a_terminal_there_is_a_line_a_cell_and_the_time_left_is_by_cost(tmp_path):
    cells = [Cell(name, {}, {}, cost) for name, cost in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    stream = io.StringIO()
    with CellsView(cells, stream) as view:
        view.on_result(Result(cells[0], "kept", tmp_path, RunMetrics(final=DiscoveryFinal())), 0.0)
        view.on_result(
            Result(cells[1], "done", tmp_path, RunMetrics(final=DiscoveryFinal(global_=Split(all=0.5)))), 20.0
        )
        view.on_result(Result(cells[2], "failed", tmp_path, error="no [data]"), 1.0)
    one, two, three = stream.getvalue().splitlines()
    assert one == "[1/3] a: kept"
    assert two.replace("\u00a0", " ") == "[2/3] b: done in 20 s, global All 50.0 (about 30 s left)"
    assert three == "[3/3] c: failed: no [data]"


@pytest.mark.slow
def test_the_quick_benchmark_through_the_installed_command(tmp_path):
    command = [str(Path(sys.executable).parent / "fedlpa"), "benchmark", "gcd", "--quick", "--out", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "b" / "results.md").read_text()
    results = json.loads((tmp_path / "b" / "results.json").read_text())
    rows = {row["labels"]["method"]: row["mean"] for row in results["summary"]}
    assert rows.keys() == gcd.METHODS.keys()
    assert rows["fedlpa"]["home"] == pytest.approx(rows["fedlpa"]["global_all"])
    assert {"abroad", "missing", "newcomer_uniform", "newcomer_adapt"} <= rows["fedlpa"].keys()
    assert all("global_all" not in rows[method] for method in ("local-only", "local-infomap", "fedlpa-strict"))
    assert rows["fedavg-gcd"]["categories_found"] == 10
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("kept") == len(results["cells"])
