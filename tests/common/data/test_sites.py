from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from common.data import sites
from common.data.dataset import Dataset
from common.data.read import read_dataset
from common.data.sites import materialise_sites
from common.data.split import Split, split_federation
from common.data.truth import read_truth
from common.errors import InputError


def test_every_site_holds_its_samples_and_its_truth(tmp_path):
    digits = read_dataset("digits").take(np.arange(100))
    digits = replace(digits, labels=(None, *digits.labels[1:]))
    split = split_federation(digits, clients=3, alpha=0.5, seed=1)
    materialise_sites(digits, split, tmp_path / "sites")
    for k, rows in enumerate(split.sites):
        folder = tmp_path / "sites" / f"site-{k}"
        site = read_dataset(str(folder / "data.parquet"))
        np.testing.assert_array_equal(site.x, digits.x[rows])
        assert site.ids == tuple(digits.ids[i] for i in rows)
        assert site.labels == tuple(digits.labels[i] if split.labelled[i] else None for i in rows)
        assert read_truth(folder / "truth.parquet") == {digits.ids[i]: digits.labels[i] for i in rows if i != 0}
        assert list(pd.read_parquet(folder / "truth.parquet")) == ["id", "label"]


def _small():
    dataset = Dataset("vectors", np.ones((2, 1), np.float32), ("a", "b"), ("0", "1"), "memory")
    return dataset, Split((np.arange(2), np.arange(0)), np.array([True, False]), ("a",), ("a", "b"))


def test_an_empty_site_is_an_empty_folder(tmp_path):
    materialise_sites(*_small(), tmp_path)  # an empty folder may be there already
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [
        "site-0",
        "site-0/data.parquet",
        "site-0/truth.parquet",
        "site-1",
    ]


def test_what_is_there_is_kept_and_nothing_is_left_half_written(tmp_path, monkeypatch):
    root = tmp_path / "sites"
    materialise_sites(*_small(), root)
    with pytest.raises(InputError, match="sites is already there; name another folder, or remove it first"):
        materialise_sites(*_small(), root)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sites, "write_truth", fail)
    with pytest.raises(KeyboardInterrupt):
        materialise_sites(*_small(), tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir()] == ["sites"]
