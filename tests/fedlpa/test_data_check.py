import io
import json

import numpy as np
import pandas as pd
from rich.console import Console

from common.data.read import ReadOptions
from fedlpa.data_check import check_data
from fedlpa.data_report import render


def _check(tmp_path, columns, **options):
    path = tmp_path / "x.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return check_data(str(path), ReadOptions(**options))


def _printed(report):
    console = Console(width=300, file=io.StringIO())
    console.print(render(report))
    return console.file.getvalue()


def test_digits():
    report = check_data("digits")
    assert (report.ok, report.kind, report.samples, report.sample_shape) == (True, "images", 1797, (1, 8, 8))
    assert (report.labelled, report.unlabelled) == (1797, 0)
    assert report.classes == {str(d): n for d, n in enumerate([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])}
    assert report.warnings == ()
    assert any("convolutional" in sentence for sentence in report.will)
    assert any("'0', '1', '2', '3', '4'." in sentence for sentence in report.will)
    assert json.loads(json.dumps(report.to_json()))["sample_shape"] == [1, 8, 8]
    assert "1797 of shape 1 x 8 x 8" in _printed(report)


def test_what_a_table_hides(tmp_path):
    rng = np.random.default_rng(0)
    n = 300
    columns = {
        "index": np.arange(n),
        "a": rng.normal(size=n),
        "same": np.ones(n),
        "label": ["x"] * 280 + ["novel-1"] * 4 + [None] * 16,
    }
    report = _check(tmp_path, columns)
    assert report.constant_columns == ("same",)
    assert report.columns == ("index", "a", "same")
    assert (report.labelled, report.unlabelled, report.classes) == (284, 16, {"novel-1": 4, "x": 280})
    text = " ".join(report.warnings)
    for part in (
        "Fewer than 10 labelled samples of 'novel-1'",
        "'x' has 280 labelled samples, 'novel-1' has 4",
        "'novel-1' looks like the name of a discovered category",
        "'same' never changes",
        "'index' counts the rows",
    ):
        assert part in text
    assert any("adapter learns from the 3 numbers" in sentence for sentence in report.will)
    assert any("standardised" in sentence for sentence in report.will)
    for part in report.warnings:
        assert part in _printed(report)


def test_duplicates_and_their_labels(tmp_path):
    report = _check(tmp_path, {"a": [1, 2, 1, 1, 2, 3], "label": ["x", "y", "z", "x", None, "y"]})
    assert report.duplicates == 3
    assert any("3 samples are identical" in warning for warning in report.warnings)
    assert any("1 of them are labelled differently" in warning for warning in report.warnings)


def test_no_labels_and_labels_of_one_class(tmp_path):
    report = _check(tmp_path, {"a": np.random.default_rng(0).normal(size=50)})
    assert report.ok
    assert "all of them will stay novel-<n>" in report.warnings[0]
    report = _check(tmp_path, {"a": np.random.default_rng(0).normal(size=50), "label": "[b]x"})
    assert "All labels are of one class, '[b]x'" in report.warnings[0]
    assert "'[b]x'" in _printed(report)


def test_a_measurement_or_a_mark_for_missing_as_label(tmp_path):
    values = np.random.default_rng(0).normal(size=50)
    report = _check(tmp_path, {"a": values, "label": np.arange(50)})
    assert any("50 classes for 50 samples" in warning for warning in report.warnings)
    report = _check(tmp_path, {"a": values, "label": ["x", "unknown"] * 25})
    assert any("'unknown' counts as a class" in warning for warning in report.warnings)


def test_large_images_and_skipped_ones(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((70, 100), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("junk")
    report = check_data(str(tmp_path), ReadOptions(skip_bad_images=True))
    assert len(report.skipped) == 1
    assert any("100x70: resize them with --set image-size=32" in warning for warning in report.warnings)
    assert "b.png was left out" in _printed(report)


def test_what_cannot_be_used_is_a_problem_not_an_error(tmp_path):
    report = _check(tmp_path, {"a": ["x", "y"]})
    assert not report.ok
    assert "column 'a': text in a numeric column" in report.problems[0]
    assert report.to_json()["ok"] is False
    assert "Cannot be used" in _printed(report)
    assert not check_data(str(tmp_path / "none.csv")).ok


def test_cifar(shared_data):
    report = check_data(str(shared_data / "cifar10-embeddings-test.parquet"))
    assert (report.kind, report.samples, report.sample_shape) == ("vectors", 10_000, (256,))
    assert report.classes == {str(k): 1000 for k in range(10)}
