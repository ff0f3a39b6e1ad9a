"""The main job through the installed command: real worker processes, real files."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

SMALL = ["--clients", "3", "--rounds", "5", "--set", "rows=300"]


def fedlpa(*arguments, timeout=900):
    command = [str(Path(sys.executable).parent / "fedlpa"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's run: digits, five sites, seed 0, all defaults."""
    out = tmp_path_factory.mktemp("demo") / "run"
    done = fedlpa("simulate", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_the_demo_discovers_digits_without_being_told_how_many(demo):
    metrics = json.loads((demo / "metrics.json").read_text())
    assert metrics["schema"] == 1
    assert metrics["method"] == "fedlpa"
    assert metrics["data"] == "digits"
    assert (metrics["clients"], metrics["alpha"], metrics["seed"], metrics["rounds"]) == (5, 0.2, 0, 30)
    final = metrics["final"]
    # Measured .95 local and .94 global; the margin is the spread between seeds.
    assert final["local"]["all"] > 0.88
    assert final["local"]["new"] > 0.85
    assert final["global"]["all"] > 0.88
    assert final["categories"]["true"] == 10
    assert 9 <= final["categories"]["found"] <= 13
    assert 0 < metrics["wire"]["up_bytes_per_client_round"] < 2 * metrics["wire"]["full_model_bytes"]


def test_the_run_leaves_its_files(demo):
    rounds = [json.loads(line) for line in (demo / "rounds.jsonl").read_text().splitlines()]
    assert [record["round"] for record in rounds] == list(range(1, 31))
    assert all(record["clients"]["answered"] == 5 for record in rounds)
    config = json.loads((demo / "config.json").read_text())
    assert config["seen-classes"] == ["0", "1", "2", "3", "4"]
    assert config["knn"] == 10
    page = (demo / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert list((demo / "tensorboard").iterdir())


def test_the_final_scores_are_those_of_the_sites_own_predictions(demo):
    """An independent path to metrics.json: pool the sites' files and score them without the federation's counts."""
    from scipy.optimize import linear_sum_assignment

    seen = {"0", "1", "2", "3", "4"}
    rows = []
    for site in sorted((demo / "sites").iterdir()):
        predicted = pd.read_parquet(site / "predictions.parquet").set_index("id")
        truth = pd.read_parquet(site / "truth.parquet").set_index("id").label
        visible = pd.read_parquet(site / "data.parquet", columns=["id", "label"]).set_index("id").label
        table = predicted.join(truth.rename("truth")).join(visible.rename("visible"))
        rows.append(table[table.visible.isna()])
    table = pd.concat(rows)
    counts = pd.crosstab(table.category, table.truth)
    a, b = linear_sum_assignment(counts.to_numpy(), maximize=True)
    matched = {counts.index[i]: counts.columns[j] for i, j in zip(a, b, strict=True)}
    correct = table.category.map(matched) == table.truth
    final = json.loads((demo / "metrics.json").read_text())["final"]["global"]
    assert final["all"] == pytest.approx(correct.mean(), abs=1e-9)
    assert final["old"] == pytest.approx(correct[table.truth.isin(seen)].mean(), abs=1e-9)
    assert final["new"] == pytest.approx(correct[~table.truth.isin(seen)].mean(), abs=1e-9)


def test_predict_names_seen_classes_and_numbers_novel_ones(demo, tmp_path):
    out = tmp_path / "predictions.parquet"
    done = fedlpa("predict", "--model", demo / "model", "--data", "digits", "--out", out)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(out)
    assert list(table.columns) == ["id", "category", "is_novel", "confidence"]
    assert table.confidence.dtype == np.float32
    assert table.confidence.between(0, 1).all()
    assert (table.is_novel == table.category.str.startswith("novel-")).all()
    truth = load_digits().target[table.id.astype(int)]
    old = truth < 5
    assert (table.category[old] == truth[old].astype(str)).mean() > 0.9
    assert adjusted_rand_score(truth, table.category) > 0.8


def test_a_finished_run_is_not_overwritten_unasked(demo):
    before = (demo / "metrics.json").read_bytes()
    done = fedlpa("simulate", "--out", demo)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert (demo / "metrics.json").read_bytes() == before


def test_killed_and_given_again_a_run_goes_on_and_ends_as_if_nothing_had_happened(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert fedlpa("simulate", *SMALL, "--seed", 3, "--out", whole).returncode == 0
    command = [str(Path(sys.executable).parent / "fedlpa"), "simulate", *SMALL, "--seed", "3", "--out", str(cut)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        lines = (cut / "rounds.jsonl").read_text().count("\n") if (cut / "rounds.jsonl").exists() else 0
        if lines >= 2:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(["pkill", "-9", "-s", str(process.pid)], check=False)
    assert not (cut / "metrics.json").exists()
    done = fedlpa("simulate", *SMALL, "--seed", 3, "--out", cut)
    assert done.returncode == 0, done.stderr
    rounds = [json.loads(line)["round"] for line in (cut / "rounds.jsonl").read_text().splitlines()]
    assert rounds == [1, 2, 3, 4, 5]
    one, two = (load_file(folder / "model" / "weights.safetensors") for folder in (whole, cut))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    finals = [json.loads((folder / "metrics.json").read_text())["final"] for folder in (whole, cut)]
    assert finals[0] == finals[1]


@pytest.mark.parametrize("method", ["local-infomap", "fedavg-simgcd"])
def test_baselines_are_methods_of_the_same_command(method, tmp_path):
    done = fedlpa("simulate", "--method", method, *SMALL, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["method"] == method
    assert metrics["final"]["local"]["all"] > 0.3
    assert (metrics["final"]["global"]["all"] is None) == (method == "local-infomap")


def test_a_client_without_samples_sits_out_and_nothing_labelled_still_runs(tmp_path):
    digits = load_digits()
    table = pd.DataFrame(digits.data[:60])
    table.columns = [f"pixel{i}" for i in range(64)]
    table.to_csv(tmp_path / "plain.csv", index=False)
    run = tmp_path / "run"
    done = fedlpa("simulate", "--data", tmp_path / "plain.csv", *SMALL[:4], "--out", run)
    assert done.returncode == 0, done.stderr
    assert "novel-*" in done.stdout + done.stderr
    final = json.loads((run / "metrics.json").read_text())["final"]
    assert final["global"] == {"all": None, "old": None, "new": None}
    categories = json.loads((run / "model" / "model.json").read_text())["categories"]
    assert categories
    assert all(category["is_novel"] for category in categories)

    table["label"] = digits.target[:60]
    few = table[table.label == 0].head(4)
    few.to_csv(tmp_path / "few.csv", index=False)
    shutil.rmtree(run)
    done = fedlpa(
        "simulate", "--data", tmp_path / "few.csv", "--clients", 4, "--rounds", 3, "--alpha", "0.01", "--out", run
    )
    assert done.returncode == 0, done.stderr
    last = json.loads((run / "rounds.jsonl").read_text().splitlines()[-1])
    assert last["clients"]["sat_out"]
    assert last["clients"]["answered"] + len(last["clients"]["sat_out"]) == 4
