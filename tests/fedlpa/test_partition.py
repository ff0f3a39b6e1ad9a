import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from common.data.read import ReadOptions, read_dataset
from common.data.truth import read_truth
from common.errors import InputError
from fedlpa.partition import partition, render


def test_the_files_of_a_partition(tmp_path):
    out = tmp_path / "deep" / "out"
    summary = partition("digits", 4, 0.2, 3, out, options=ReadOptions(rows=300))
    assert sorted(p.name for p in out.iterdir()) == [
        *(f"site-{k}.parquet" for k in range(4)),
        "truth.parquet",
    ]
    digits, truth = read_dataset("digits"), pd.read_parquet(out / "truth.parquet").set_index("id")
    assert list(truth.columns) == ["label", "site"]
    assert len(truth) == truth.index.nunique() == 300
    assert all(digits.labels[int(i)] == label for i, label in truth["label"].items())
    labelled = 0
    for k, site in enumerate(summary.sites):
        frame = pq.read_table(out / f"site-{k}.parquet", columns=["id", "label"]).to_pandas()
        assert set(frame["id"]) == set(truth.index[truth["site"] == f"site-{k}"])
        shown = frame.dropna()
        assert (shown["label"].to_numpy() == truth.loc[shown["id"], "label"].to_numpy()).all()
        assert set(shown["label"]) <= {"0", "1", "2", "3", "4"}
        assert (site.name, site.samples, site.labelled) == (f"site-{k}", len(frame), len(shown))
        assert site.classes == truth.loc[frame["id"], "label"].value_counts().to_dict()
        labelled += len(shown)
        if len(frame):
            read = read_dataset(str(out / f"site-{k}.parquet"))
            np.testing.assert_array_equal(read.x, digits.x[[int(i) for i in read.ids]])
    seen = truth["label"].isin(["0", "1", "2", "3", "4"]).sum()
    assert abs(labelled - seen / 2) <= 2.5
    assert summary.seen == ("0", "1", "2", "3", "4")


def _table(tmp_path, labels):
    path = tmp_path / "x.csv"
    pd.DataFrame({"a": range(len(labels)), "label": labels}).to_csv(path, index=False)
    return str(path)


def test_an_empty_site_gets_a_file_without_rows(tmp_path):
    summary = partition(_table(tmp_path, ["a", "a", "b", "b"]), 4, 1e-3, 0, tmp_path / "out")
    empty = [site.name for site in summary.sites if not site.samples]
    assert empty
    schemas = {pq.read_schema(tmp_path / "out" / f"site-{k}.parquet") for k in range(4)}
    assert len(schemas) == 1
    assert pq.read_metadata(tmp_path / "out" / f"{empty[0]}.parquet").num_rows == 0


def test_an_unknown_truth_is_null_in_the_truth(tmp_path):
    partition(_table(tmp_path, ["a", None, "b", "b", None]), 2, 1.0, 0, tmp_path / "out")
    assert read_truth(tmp_path / "out" / "truth.parquet") == {"0": "a", "2": "b", "3": "b"}
    assert pq.read_metadata(tmp_path / "out" / "truth.parquet").num_rows == 5


def test_earlier_files_are_kept_unless_told_otherwise(tmp_path):
    data, out = _table(tmp_path, list("aabbcc")), tmp_path / "out"
    partition(data, 3, 1.0, 0, out)
    (out / "notes.txt").write_text("mine")
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    with pytest.raises(InputError, match=r"out already holds site-0.parquet; name another folder, or pass --overwrite"):
        partition(data, 2, 1.0, 1, out)
    with pytest.raises(InputError, match="too few for 9 clients"):
        partition(data, 9, 1.0, 1, out, overwrite=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    partition(data, 2, 1.0, 1, out, overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == [
        "notes.txt",
        "site-0.parquet",
        "site-1.parquet",
        "truth.parquet",
    ]
    with pytest.raises(InputError, match=r"x.csv is a file; name a folder"):
        partition(data, 2, 1.0, 1, tmp_path / "x.csv")


def test_the_summary_can_be_printed(tmp_path):
    summary = partition(_table(tmp_path, ["[red]a", "b"] * 5), 1, 1.0, 0, tmp_path / "out")
    console = Console(width=200, file=io.StringIO())
    console.print(render(summary))
    assert "[red]a* 5, b 5" in console.file.getvalue()
