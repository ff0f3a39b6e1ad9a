"""What is scored of a run elsewhere, with a model that is made up: the truth is known sample by sample."""

import json

import numpy as np
import pandas as pd
import pytest

from common.data.read import read_dataset
from common.data.truth import read_truth
from common.run.predictions import write_predictions
from fedlpa.benchmark import transfer
from fedlpa.predict import Predictions

NOVEL = ("novel-2", "novel-1", "novel-3", "novel-4", "novel-5")


def _sound(i, true):
    """The category of a sound model, which splits class 9: a third of it is a category that no class is left for."""
    return "novel-6" if true == "9" and int(i) % 3 == 0 else [*map(str, range(5)), *NOVEL][int(true)]


@pytest.fixture
def made_up(small_federation, monkeypatch):
    """A run whose sites predicted perfectly, and a model that errs for every third sample of classes 0 and 6."""
    _, files = small_federation(rows=600, clients=4, held_out_sites=1, alpha=0.3)
    truth = {}
    for folder in [*files.sites.iterdir(), *files.held_out.iterdir()]:
        truth |= read_truth(folder / "truth.parquet")
    for folder in files.sites.iterdir():
        ids = read_dataset(str(folder / "data.parquet")).ids
        categories = [_sound(i, truth[i]) for i in ids]
        write_predictions(
            folder / "predictions.parquet", ids, categories, np.zeros(len(ids), bool), np.ones(len(ids), np.float32)
        )
    files.model.mkdir()
    (files.model / "model.json").write_text(json.dumps({"categories": [{"name": "0"}]}))

    def model(i, prior):
        wrong = truth[i] in ("0", "6") and int(i) % 3 == 0 and prior == "uniform"
        return "1" if wrong else _sound(i, truth[i])

    def predict(folder, data, out, *, prior):
        ids = read_dataset(data).ids
        return Predictions(ids, [model(i, prior) for i in ids], np.zeros(len(ids), bool), np.ones(len(ids)), "")

    monkeypatch.setattr(transfer, "predict", predict)
    frames = []
    for folder in [*files.sites.iterdir(), *files.held_out.iterdir()]:
        table = pd.read_parquet(folder / "data.parquet", columns=["id", "label"])
        table["site"], table["out"] = folder.name, folder.parent == files.held_out
        frames.append(table)
    table = pd.concat(frames)
    table["true"] = table["id"].map(truth)
    for prior in ("uniform", "adapt"):
        said = [model(i, prior) for i in table["id"]]
        whole = ["novel-5" if true == "9" else _sound(1, true) for true in table["true"]]
        table[prior] = [one == other for one, other in zip(said, whole, strict=True)]
    table["home"] = [_sound(i, true) != "novel-6" for i, true in zip(table["id"], table["true"], strict=True)]
    return files.folder, table


def test_home_abroad_and_missing_are_counted_over_unlabelled_samples(made_up):
    run, table = made_up
    sites = table[~table["out"]]
    hidden = sites[sites["label"].isna()]
    judged, absent = [], []
    for site in sites["site"].unique():
        held = sites[sites["site"] == site]["true"].value_counts()
        others = hidden[hidden["site"] != site]
        judged.append(others)
        absent.append(others[others["true"].map(held).fillna(0) < 5])
    found = transfer.judged_elsewhere(run)
    expected = {
        "home": hidden["home"].mean(),
        "abroad": pd.concat(judged)["uniform"].mean(),
        "missing": pd.concat(absent)["uniform"].mean(),
    }
    assert len(pd.concat(absent)) > 20
    assert found == pytest.approx(expected)
    assert found["missing"] != pytest.approx(found["abroad"])


def test_a_newcomer_is_judged_by_the_federations_match(made_up):
    run, table = made_up
    hidden = table[table["out"] & table["label"].isna()]
    found = transfer.newcomer(run)
    assert found == pytest.approx(
        {"newcomer_uniform": hidden["uniform"].mean(), "newcomer_adapt": hidden["adapt"].mean()}
    )
    assert found["newcomer_uniform"] < found["newcomer_adapt"]


def test_without_shared_categories_there_is_nothing_to_judge(made_up):
    run, _ = made_up
    (run / "model" / "model.json").write_text(json.dumps({"categories": []}))
    assert transfer.judged_elsewhere(run) == transfer.newcomer(run) == {}


def test_without_the_sites_predictions_there_is_no_match(made_up):
    run, _ = made_up
    (run / "sites" / "site-1" / "predictions.parquet").unlink()
    assert transfer.judged_elsewhere(run) == {}
