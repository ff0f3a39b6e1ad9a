"""A federation on a pretrained image backbone, through the installed command; the backbone is tiny and random."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from common.config import make_config
from common.errors import InputError
from common.run.run_files import RunFiles
from fedlpa.predict import predict
from server_app.sites.lay_samples import lay_out_samples

pytest.importorskip("transformers", reason="the extra 'backbones' is not installed")


def fedlpa(*arguments, cwd=None):
    command = [str(Path(sys.executable).parent / "fedlpa"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd)


@pytest.fixture(scope="module")
def world(make_backbone, tmp_path_factory):
    """150 digits as PNG in ``digits.parquet``, a backbone in ``tiny``, and a run of three rounds on them in ``run``."""
    root = tmp_path_factory.mktemp("world")
    digits = load_digits()
    images = []
    for pixels in digits.images[:150]:
        buffer = io.BytesIO()
        Image.fromarray((pixels * 15).astype(np.uint8)).save(buffer, "png")
        images.append({"bytes": buffer.getvalue(), "path": None})
    pd.DataFrame({"image": images, "label": digits.target[:150]}).to_parquet(root / "digits.parquet")
    make_backbone(root / "tiny")
    flags = ["--clients", "2", "--alpha", "50", "--rounds", "3", "--set", "local-epochs=1"]
    done = fedlpa("simulate", "--data", "digits.parquet", *flags, "--set", "model=./tiny", "--out", "run", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


def test_the_model_folder_holds_what_was_trained_and_names_the_backbone(world):
    rounds = [json.loads(line) for line in (world / "run" / "rounds.jsonl").read_text().splitlines()]
    assert [record["clients"]["answered"] for record in rounds] == [2, 2, 2]
    told = json.loads((world / "run" / "model" / "model.json").read_text())
    assert told["backbone"]["model"] == str(world / "tiny")
    assert len(told["backbone"]["hash"]) == 64
    inside = [name for name in load_file(world / "run" / "model" / "weights.safetensors") if "backbone" in name]
    assert inside
    assert all(name.startswith("backbone.model.layers.1.") for name in inside)
    whole = load_file(world / "tiny" / "model.safetensors")
    sent = rounds[0]["bytes"]["up"] / 2
    assert sent < 0.75 * sum(array.nbytes for array in whole.values())


def test_predict_finds_the_backbone_where_it_was_or_where_it_is_said_to_be(world, tmp_path):
    model, data = world / "run" / "model", world / "digits.parquet"
    shutil.copytree(world / "tiny", tmp_path / "moved")
    flags = ["--backbone", tmp_path / "moved", "--out", tmp_path / "b.parquet"]
    done = fedlpa("predict", "--model", model, "--data", data, *flags)
    assert done.returncode == 0, done.stderr
    predict(model, str(data), tmp_path / "a.parquet")
    one, two = pd.read_parquet(tmp_path / "a.parquet"), pd.read_parquet(tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 150


def test_predict_refuses_another_backbone_and_one_that_is_gone(world, make_backbone, tmp_path):
    model, data, out = world / "run" / "model", str(world / "digits.parquet"), tmp_path / "p.parquet"
    make_backbone(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="is another backbone than the run's"):
        predict(model, data, out, backbone=str(tmp_path / "other"))
    with pytest.raises(InputError, match="does not exist"):
        predict(model, data, out, backbone=str(tmp_path / "none"))
    assert not out.exists()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("convnte", "unknown model 'convnte'; did you mean 'convnet'?"),
        ("digits.parquet/", "does not exist"),
        (".", "is not a model"),
    ],
)
def test_a_simulation_refuses_what_is_not_a_backbone_before_it_writes(model, said, world, monkeypatch):
    monkeypatch.chdir(world)
    config = make_config({"data": "digits.parquet", "model": model, "clients": 2})
    with pytest.raises(InputError) as error:
        lay_out_samples(config, RunFiles(Path("no")), False)
    assert said in str(error.value)
    assert not Path("no").exists()
