import os

import numpy as np
import pytest

from client_app.site import SimulatedSite
from client_app.site_data import label_indices, load_samples
from common.config import make_config
from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.data.truth import write_truth
from common.errors import InputError
from common.place import Simulation

CONFIG = make_config(
    {"kind": "vectors", "sample-shape": [2], "seen-classes": ["dog", "cat"], "classes": ["dog", "cat", "eel"]}
)
LABELS = ("cat", None, "dog", None)


def _dataset(labels=LABELS, x=None, ids=("a", "b", "c", "d")):
    x = np.arange(8, dtype=np.float32).reshape(4, 2) if x is None else x
    return Dataset("vectors", x, labels, ids, "memory")


def _site(folder, dataset=None, truth=None):
    path = folder / "data.parquet"
    write_dataset(_dataset() if dataset is None else dataset, path)
    if truth is not None:
        write_truth(list(truth), list(truth.values()), None, folder / "truth.parquet")
    return SimulatedSite("site-0", 0, path, folder, folder / "truth.parquet", Simulation(folder))


def test_labels_are_indices_of_the_runs_seen_classes(tmp_path):
    data = load_samples(_site(tmp_path), CONFIG)
    assert data.labels.tolist() == [1, -1, 0, -1]
    assert data.ids == ("a", "b", "c", "d")
    assert data.x.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert data.truth is None
    assert len(data) == 4


def test_truth_is_aligned_by_id_and_unknown_where_it_says_nothing(tmp_path):
    site = _site(tmp_path, truth={"c": "dog", "b": "eel", "d": "gnu", "z": "cat"})
    assert load_samples(site, CONFIG).truth.tolist() == [-1, 2, 0, -1]
    assert load_samples(site, CONFIG.but(classes=())).truth is None


def test_a_label_that_the_run_does_not_know_is_refused(tmp_path):
    site = _site(tmp_path, _dataset(("cat", None, "dogs", None)))
    with pytest.raises(InputError) as caught:
        load_samples(site, CONFIG)
    assert "'dogs', which is not a seen class" in str(caught.value)
    assert "did you mean 'dog'?" in str(caught.value)
    assert label_indices(_dataset(), ("cat", "dog")).tolist() == [0, -1, 1, -1]


@pytest.mark.parametrize("config", [CONFIG.but(sample_shape=(3,)), CONFIG.but(kind="images", sample_shape=(1, 8, 8))])
def test_data_of_another_shape_or_kind_is_refused(tmp_path, config):
    with pytest.raises(InputError, match=r"holds vectors of shape \(2,\), the run expects"):
        load_samples(_site(tmp_path), config)


def test_the_fingerprint_follows_samples_ids_and_labels(tmp_path):
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    x[3, 1] += 1
    variants = [
        _dataset(),
        _dataset(x=x),
        _dataset(("cat", None, "dog", "dog")),
        _dataset(ids=("a", "b", "c", "e")),
    ]
    prints = []
    for i, dataset in enumerate(variants):
        (tmp_path / str(i)).mkdir()
        prints.append(load_samples(_site(tmp_path / str(i), dataset), CONFIG).fingerprint)
    assert len(set(prints)) == 4
    (tmp_path / "again").mkdir()
    assert load_samples(_site(tmp_path / "again"), CONFIG).fingerprint == prints[0]


def test_a_file_that_changes_is_read_again(tmp_path):
    site = _site(tmp_path)
    load_samples(site, CONFIG)
    before = site.data.stat()
    write_dataset(_dataset(("dog", None, "dog", None)), site.data)
    os.utime(site.data, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert load_samples(site, CONFIG).labels.tolist() == [0, -1, 0, -1]


def test_a_real_site_holds_out_a_share_of_its_labels_the_same_ones_every_time():
    from client_app.site_data import _hold_out

    ids = tuple(f"patient-{i}" for i in range(60))
    labels = np.where(np.arange(60) % 3 == 0, -1, np.arange(60) % 3)
    rows = _hold_out(ids, labels, 0.1)
    assert len(rows) == 4
    assert (labels[rows] >= 0).all()
    order = np.random.default_rng(0).permutation(60)
    again = _hold_out(tuple(ids[i] for i in order), labels[order], 0.1)
    assert {ids[i] for i in rows} == {ids[order[i]] for i in again}
    assert not len(_hold_out(ids, labels, 0.0))
