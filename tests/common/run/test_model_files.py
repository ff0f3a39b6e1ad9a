import json
import os

import numpy as np
import pytest

from common.config import make_config
from common.discovery.catalogue import Catalogue
from common.errors import InputError
from common.run.model_files import DESCRIPTION, WEIGHTS, Model, load_model, save_model

CONFIG = make_config(
    {"kind": "vectors", "sample-shape": [4], "seen-classes": ["cat", "dog"], "classes": ["cat", "dog", "eel"], "knn": 7}
)
CATALOGUE = Catalogue(
    rows=np.eye(3, 4, dtype=np.float32),
    names=np.array([0, 1, -1]),
    numbers=np.array([0, 0, 5]),
    counts=np.array([30, 20, 10]),
)


def _save(folder, catalogue=CATALOGUE):
    rng = np.random.default_rng(0)
    # A transposed view is not contiguous; what counts is its values.
    weights = {"a.weight": rng.normal(size=(3, 4)).astype(np.float32).T, "b": np.zeros(0, np.float32)}
    save_model(folder, Model(CONFIG, weights, catalogue))
    return weights


@pytest.mark.parametrize("catalogue", [CATALOGUE, None])
def test_a_model_comes_back_as_it_was_saved(tmp_path, catalogue):
    weights = _save(tmp_path / "model", catalogue)
    model = load_model(tmp_path / "model")
    assert model.config == CONFIG
    assert model.config.options == CONFIG.options
    assert model.weights.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(model.weights[name], array)
    if catalogue is None:
        assert model.catalogue is None
    else:
        for name, array in catalogue.arrays().items():
            np.testing.assert_array_equal(model.catalogue.arrays()[name], array)


def test_the_description_names_the_categories(tmp_path):
    _save(tmp_path / "model")
    told = json.loads((tmp_path / "model" / DESCRIPTION).read_text())
    assert told["categories"] == [
        {"name": "cat", "is_novel": False, "samples": 30},
        {"name": "dog", "is_novel": False, "samples": 20},
        {"name": "novel-5", "is_novel": True, "samples": 10},
    ]
    assert told["sample_shape"] == [4]
    assert told["seen_classes"] == ["cat", "dog"]


def test_saving_again_replaces_the_model_and_a_failure_keeps_the_old_one(tmp_path):
    _save(tmp_path / "model")
    (tmp_path / "model" / "left-over").touch()
    _save(tmp_path / "model", None)
    assert sorted(os.listdir(tmp_path / "model")) == [DESCRIPTION, WEIGHTS]
    assert load_model(tmp_path / "model").catalogue is None
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever safetensors makes of it
        save_model(tmp_path / "model", Model(CONFIG, {"a": np.array(["text"])}, None))
    assert load_model(tmp_path / "model").weights.keys() == {"a.weight", "b"}
    assert os.listdir(tmp_path) == ["model"]


def _edit(folder, **changes):
    path = folder / DESCRIPTION
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, **changes}))


def _truncate(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-3])


def _drop_from_catalogue(folder):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / WEIGHTS)
    del arrays["catalogue/counts"]
    save_file(arrays, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / DESCRIPTION).unlink(), "holds no model"),
        (lambda folder: (folder / DESCRIPTION).write_text("{"), "cannot be read as JSON"),
        (lambda folder: (folder / DESCRIPTION).write_bytes(b"\xff\xfe{}"), "cannot be read as JSON"),
        (lambda folder: (folder / DESCRIPTION).write_text("[]"), "another version"),
        (lambda folder: _edit(folder, schema=2), "model schema 2, this version reads 1"),
        (lambda folder: (folder / DESCRIPTION).write_text('{"schema": 1}'), "is damaged"),
        (lambda folder: _edit(folder, config=["knn"]), "is damaged"),
        (lambda folder: _edit(folder, config="knn"), "is damaged"),
        (lambda folder: _edit(folder, config={"knn": 0}), "knn=0"),
        (lambda folder: (folder / WEIGHTS).unlink(), "is damaged"),
        (_truncate, "is damaged"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), "is damaged"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\x00" * 64), "is damaged"),
        (_drop_from_catalogue, "is damaged"),
    ],
)
def test_each_damage_is_told_in_a_sentence(tmp_path, damage, said):
    folder = tmp_path / "model"
    _save(folder)
    damage(folder)
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_run_folder_instead_of_its_model_folder_gets_a_hint(tmp_path):
    _save(tmp_path / "model")
    with pytest.raises(InputError, match=r"did you mean .*model"):
        load_model(tmp_path)


def test_a_folder_that_is_none_is_told_from_one_without_a_model(tmp_path):
    (tmp_path / "file").touch()
    for name, said in (("nowhere", "does not exist"), ("file", "is a file"), ("", "holds no model")):
        with pytest.raises(InputError, match=said):
            load_model(tmp_path / name)
