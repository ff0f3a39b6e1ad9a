import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.data.labels import class_label_names, label_name
from common.data.read import read_dataset
from common.errors import InputError


@pytest.mark.parametrize("value", [None, "", "  ", "-1", " -1 ", "NaN", -1, -1.0, math.nan])
def test_unlabelled(value):
    assert label_name(value) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [(3, "3"), (3.0, "3"), (-2, "-2"), (" cat ", "cat"), ("3.0", "3.0"), ("007", "007"), (0, "0")],
)
def test_named(value, name):
    assert label_name(value) == name


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_read_the_same_as_int_and_float(number):
    assert label_name(number) == label_name(float(number)) == (None if number == -1 else str(number))


@given(st.text())
def test_text_is_stripped_once_and_for_all(text):
    name = label_name(text)
    assert name is None or (name and name == name.strip() and label_name(name) == name)


def _parquet(path, labels, metadata=None):
    table = pa.table({"a": np.arange(len(labels), dtype=np.float32), "label": labels})
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return str(path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(st.one_of(st.none(), st.integers(-1, 12)), min_size=1, max_size=20))
def test_nullable_integers_read_alike_from_int_float_and_csv(tmp_path, labels):
    expected = tuple(None if x in (None, -1) else str(x) for x in labels)
    whole = _parquet(tmp_path / "int.parquet", pa.array(labels, pa.int64()))
    floats = _parquet(tmp_path / "float.parquet", pa.array([None if x is None else float(x) for x in labels]))
    # as pandas writes them: a column with gaps becomes floats
    frame = pd.DataFrame({"a": 1.5, "label": pd.Series(labels, dtype=float)})
    frame.to_csv(tmp_path / "x.csv", index=False)
    for source in (whole, floats, str(tmp_path / "x.csv")):
        assert read_dataset(source).labels == expected


def test_class_label_names_of_the_schema_are_used(tmp_path):
    feature = {"label": {"names": ["ant", "bee"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": feature}})}
    source = _parquet(tmp_path / "x.parquet", pa.array([1, 0, -1, None]), metadata)
    assert read_dataset(source).labels == ("bee", "ant", None, None)
    source = _parquet(tmp_path / "y.parquet", pa.array([1, 2]), metadata)
    with pytest.raises(InputError, match=r"y.parquet: column 'label', row 1: the label 2 .* 2 class names"):
        read_dataset(source)


@pytest.mark.parametrize(
    "metadata", [None, {b"huggingface": b"{"}, {b"huggingface": b"[]"}, {b"huggingface": b'{"info":1}'}]
)
def test_broken_schema_metadata_names_nothing(metadata):
    assert class_label_names(metadata, "label") == ()


def test_categories_of_pandas_are_names(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "label": pd.Categorical(["x", None, "y"])})
    frame.to_parquet(tmp_path / "x.parquet")
    assert read_dataset(str(tmp_path / "x.parquet")).labels == ("x", None, "y")


def test_a_measurement_is_no_label(tmp_path):
    source = _parquet(tmp_path / "x.parquet", pa.array([1.0, 0.5]))
    with pytest.raises(InputError, match=r"x.parquet: column 'label', row 1: the label 0.5 names no class; .* whole"):
        read_dataset(source)
