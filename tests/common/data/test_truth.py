import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.data.truth import read_truth, write_truth
from common.errors import InputError


def test_truth(tmp_path):
    path = tmp_path / "truth.parquet"
    write_truth(["a", "b", "c"], ["x", None, "y"], ["site-0", "site-1", "site-0"], path)
    assert read_truth(path) == {"a": "x", "c": "y"}
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["id", "label", "site"]
    assert frame["site"].tolist() == ["site-0", "site-1", "site-0"]
    write_truth(["a"], ["x"], None, path)
    assert pq.read_schema(path).names == ["id", "label"]


def test_bad_truth(tmp_path):
    path = tmp_path / "truth.parquet"
    with pytest.raises(InputError, match=r"truth.parquet does not exist; give"):
        read_truth(path)
    path.write_text("junk")
    with pytest.raises(InputError, match=r"truth.parquet cannot be read as Parquet; write"):
        read_truth(path)
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(InputError, match=r"truth.parquet has no column 'label'; a truth file holds id and label"):
        read_truth(path)
