"""Wrong input: one sentence that says what, where and how to mend it; exit status 2; nothing half-written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "a,b,label\n" + "".join(f"{i},{i * 2},{'x' if i % 2 else 'y'}\n" for i in range(30))


def fedlpa(*arguments):
    command = [str(Path(sys.executable).parent / "fedlpa"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def refused(done, *words):
    """Exit status 2, one sentence, no traceback, and the words in it."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    sentence = " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr + done.stdout
    for word in words:
        assert word in sentence, sentence


NOISE = [
    part
    for setting in ("central-noise-multiplier=1", "central-clip-norm=1", "share-categories=false")
    for part in ("--set", setting)
]

CASES = {
    "wrong-column": (GOOD, ["--set", "label-column=lable"], ["lable", "label"]),
    "text": (GOOD.replace("7,14,x", "7,many,x"), [], ["'b'", "many"]),
    "nan": (GOOD.replace("7,14,x", "7,nan,x"), [], ["'b'", "7"]),
    "inf": (GOOD.replace("7,14,x", "7,inf,x"), [], ["'b'", "7"]),
    "one-sample": ("a,b,label\n1,2,x\n", [], ["one sample"]),
    "alpha": (GOOD, ["--alpha", "0"], ["alpha", "0"]),
    "clients": (GOOD, ["--clients", "31"], ["30 samples", "31 clients"]),
    "method": (GOOD, ["--method", "fedlpaa"], ["fedlpaa", "fedlpa"]),
    "setting": (GOOD, ["--set", "knnn=3"], ["knnn", "'knn'"]),
    "value": (GOOD, ["--set", "prior=flat"], ["prior", "uniform"]),
    "of-another-method": (GOOD, ["--method", "local-infomap", "--set", "prior=local"], ["prior", "fedlpa"]),
    "seen": (GOOD, ["--seen-classes", "x,zz"], ["zz"]),
    "k": (GOOD, ["--method", "fedavg-simgcd", "--set", "categories=1", "--seen-classes", "x,y"], ["categories=1"]),
    "model": (GOOD, ["--set", "model=convnet"], ["convnet", "vectors"]),
    "noise-without-norm": (GOOD, ["--set", "central-noise-multiplier=1"], ["needs central-clip-norm"]),
    "noise-beside-rows": (
        GOOD,
        ["--set", "local-noise-multiplier=1", "--set", "local-clip-norm=1"],
        ["covers weights only", "'catalogue'", "set share-categories=false"],
    ),
    "noise-on-nothing": (
        GOOD,
        ["--method", "local-infomap", "--set", "central-noise-multiplier=1", "--set", "central-clip-norm=1"],
        ["local-infomap shares no weights"],
    ),
    "noise-beside-centroids": (
        GOOD,
        ["--method", "fedavg-gcd", "--set", "central-noise-multiplier=1", "--set", "central-clip-norm=1"],
        ["choose another method"],
    ),
    "noise-on-a-median": (
        GOOD,
        [*NOISE, "--set", "aggregation=median"],
        ["aggregation=median", "needs aggregation=mean"],
    ),
    "noise-and-refusals": (GOOD, [*NOISE, "--set", "outliers=refuse"], ["outliers=refuse", "needs outliers=report"]),
    "negative-noise": (GOOD, ["--set", "central-noise-multiplier=-1"], ["central-noise-multiplier=-1"]),
    "twice": (GOOD, ["--alpha", "0.3", "--set", "alpha=0.2"], ["alpha", "twice"]),
}


@pytest.mark.parametrize("case", CASES)
def test_simulate_refuses(case, tmp_path):
    text, flags, words = CASES[case]
    (tmp_path / "table.csv").write_text(text)
    done = fedlpa("simulate", "--data", tmp_path / "table.csv", "--out", tmp_path / "run", *flags)
    refused(done, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"]


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path):
    (tmp_path / "patients.csv").write_text(GOOD)
    done = fedlpa("simulate", "--data", tmp_path / "patient.csv", "--out", tmp_path / "run")
    refused(done, "patient.csv", "patients.csv")


def test_an_image_that_does_not_decode_is_named_and_can_be_skipped(tmp_path):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (8, 8), 20 * i).save(tmp_path / "images" / name / f"{i}.png")
    (tmp_path / "images" / "cat" / "3.png").write_bytes(b"not an image")
    done = fedlpa("simulate", "--data", tmp_path / "images", "--out", tmp_path / "run")
    refused(done, "3.png", "skip-bad-images=true")
    assert not (tmp_path / "run").exists()
    done = fedlpa("data", "check", tmp_path / "images", "--json", "--set", "skip-bad-images=true")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["samples"] == 11
    assert len(report["skipped"]) == 1


def test_a_folder_that_is_not_a_run_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    done = fedlpa("simulate", "--out", tmp_path, "--overwrite")
    refused(done, "not empty")
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model on two-column vectors, made without Flower."""
    import numpy as np

    from common.config import make_config
    from common.discovery.catalogue import Catalogue
    from common.models import build_network, travelling
    from common.run.model_files import Model, save_model

    config = make_config({"kind": "vectors", "sample-shape": "2", "seen-classes": "x"})
    weights = {name: tensor.numpy() for name, tensor in travelling(build_network(config, 1)).items()}
    rows = np.eye(2, 32, dtype=np.float32)
    catalogue = Catalogue(rows, np.array([0, -1]), np.array([0, 1]), np.array([9, 9]))
    folder = tmp_path_factory.mktemp("model") / "model"
    save_model(folder, Model(config, weights, catalogue))
    return folder


def change_version(folder):
    told = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(told | {"schema": 99}))


def cut_weights(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change_version, ["another version", "99"]),
        (cut_weights, ["damaged"]),
        (lambda folder: (folder / "model.json").write_text("{"), ["model.json", "JSON"]),
        (lambda folder: (folder / "model.json").unlink(), ["holds no model"]),
    ],
)
def test_predict_refuses_a_model_it_cannot_use(spoil, words, model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    spoil(tmp_path / "model")
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    done = fedlpa(
        "predict", "--model", tmp_path / "model", "--data", tmp_path / "new.csv", "--out", tmp_path / "p.parquet"
    )
    refused(done, *words)
    assert not (tmp_path / "p.parquet").exists()


def test_predict_takes_one_sample_without_labels_and_refuses_another_shape(model, tmp_path):
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    done = fedlpa("predict", "--model", model, "--data", tmp_path / "new.csv", "--out", tmp_path / "p.parquet")
    assert done.returncode == 0, done.stderr
    (tmp_path / "wide.csv").write_text("a,b,c\n1,2,3\n")
    done = fedlpa("predict", "--model", model, "--data", tmp_path / "wide.csv", "--out", tmp_path / "q.parquet")
    refused(done, "(3,)", "(2,)")
    assert not (tmp_path / "q.parquet").exists()
