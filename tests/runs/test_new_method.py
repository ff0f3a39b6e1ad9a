"""A new method is the three files of docs/adding-a-method.md, and they are all that it takes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from sklearn.neighbors import NearestCentroid

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("client_app", "common", "fedlpa", "server_app")
PAGE = ROOT / "docs" / "adding-a-method.md"
CODE = re.compile(r"^#+ `([\w/]+\.py)`$\s*^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOVEL_DISTANCE = 1.3


def files_on_the_page():
    return dict(CODE.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """The packages as they are, and the page's files."""
    folder = tmp_path_factory.mktemp("code")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files_on_the_page().items():
        assert not (folder / name).exists()
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def fedlpa(code, *arguments):
    command = [sys.executable, "-P", "-m", "fedlpa", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=code, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(code, tmp_path_factory):
    out = tmp_path_factory.mktemp("toy") / "run"
    setting = ("--set", f"novel-distance={NOVEL_DISTANCE}")
    fedlpa(code, "simulate", "--method", "toy", "--set", "rows=120", "--clients", 2, *setting, "--out", out)
    return out


def pixels(folder):
    """A site's samples: images as rows of numbers, labels (None where there is none), ids."""
    from common.data.read import ReadOptions, read_dataset

    data = read_dataset(str(folder / "data.parquet"), ReadOptions())
    return data.x.reshape(len(data.ids), -1).astype(np.float64), np.array(data.labels, dtype=object), data.ids


def test_the_page_has_a_file_for_every_package_that_a_method_has_a_room_in():
    assert list(files_on_the_page()) == [f"{name}/methods/toy.py" for name in ("common", "client_app", "server_app")]


def test_the_files_are_clean(code):
    shutil.copy(ROOT / "pyproject.toml", code)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", *files_on_the_page()]
        done = subprocess.run(ruff, cwd=code, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout


def test_the_method_is_listed_with_its_own_setting(code):
    told = fedlpa(code, "settings", "--method", "toy")
    assert "novel-distance" in told
    assert "labelled-fraction" in told


def test_the_run_leaves_what_every_run_leaves(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["method"], metrics["clients"], metrics["rounds"]) == ("toy", 2, 2)
    assert json.loads((run / "config.json").read_text())["novel-distance"] == NOVEL_DISTANCE
    rounds = [json.loads(line) for line in (run / "rounds.jsonl").read_text().splitlines()]
    assert [record["clients"]["answered"] for record in rounds] == [2, 2]
    assert rounds[-1]["scores"]["global"] == metrics["final"]["global"]
    assert metrics["final"]["categories"] == {"found": 6, "true": 10}
    assert "novel_share" in rounds[-1]["health"]
    assert (run / "report.html").exists()


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")
def test_its_model_and_predictions_are_those_of_pooled_class_means(run):
    """Without the federation: pool the sites' labelled samples and ask scikit-learn."""
    sites = sorted((run / "sites").iterdir())
    x, labels, _ = (np.concatenate(part) for part in zip(*map(pixels, sites), strict=True))
    known = labels != None  # noqa: E711 - entry by entry
    centroids = NearestCentroid().fit(x[known], labels[known].astype(str))
    weights = load_file(run / "model" / "weights.safetensors")
    np.testing.assert_allclose(weights["sums"] / weights["shares"][:, None], centroids.centroids_, rtol=1e-4)

    novel = []
    for site in sites:
        x, labels, ids = pixels(site)
        told = pd.read_parquet(site / "predictions.parquet").set_index("id").loc[list(ids)]
        distance = np.linalg.norm(x[:, None] - centroids.centroids_, axis=2).min(axis=1)
        far = distance > NOVEL_DISTANCE * np.median(distance)
        expected = np.where(far, "novel-1", centroids.predict(x))
        unlabelled = labels == None  # noqa: E711
        assert (told.category.to_numpy() == np.where(unlabelled, expected, labels)).all()
        novel += [far.mean(), len(far)]
    share = (novel[0] * novel[1] + novel[2] * novel[3]) / (novel[1] + novel[3])
    last = json.loads((run / "rounds.jsonl").read_text().splitlines()[-1])
    assert last["health"]["novel_share"] == pytest.approx(share)


def test_nothing_else_was_touched(code, run):
    def tree(root):
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for package in PACKAGES
            for path in (root / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    assert tree(code).items() ^ tree(ROOT).items() == {
        (name, text.encode()) for name, text in files_on_the_page().items()
    }
