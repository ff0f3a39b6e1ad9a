import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from common.data.dataset import Dataset
from common.data.labels import label_name
from common.data.parquet import write_dataset
from common.data.read import read_dataset
from common.errors import InputError

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_vectors = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)
_images = st.sampled_from([1, 3]).flatmap(
    lambda channels: arrays(
        np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5).map(lambda s: (s[0], channels, *s[1:]))
    )
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(x=_vectors | _images, data=st.data())
def test_what_is_written_is_read_back(tmp_path, x, data):
    n = len(x)
    kind = "images" if x.ndim == 4 else "vectors"
    columns = tuple(f"c{j}" for j in range(x.shape[1])) if kind == "vectors" and data.draw(st.booleans()) else ()
    dataset = Dataset(
        kind=kind,
        x=x,
        labels=tuple(data.draw(st.lists((st.none() | _text).map(label_name), min_size=n, max_size=n))),
        ids=tuple(data.draw(st.lists(_text.filter(bool), min_size=n, max_size=n, unique=True))),
        source="memory",
        columns=columns,
    )
    write_dataset(dataset, tmp_path / "x.parquet")
    again = read_dataset(str(tmp_path / "x.parquet"))
    assert again.x.tobytes() == x.tobytes()
    assert (again.x.dtype, again.x.shape) == (x.dtype, x.shape)
    assert (again.kind, again.labels, again.ids, again.columns) == (
        kind,
        dataset.labels,
        dataset.ids,
        columns,
    )


def test_datasets_sees_images(tmp_path):
    digits = read_dataset("digits").take(np.arange(5))
    write_dataset(digits, tmp_path / "x.parquet")
    table = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "x.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert isinstance(table.features["image"], datasets.Image)
    np.testing.assert_array_equal(np.stack([np.asarray(image) for image in table["image"]]), digits.x[:, 0])
    assert table["label"][:] == list(digits.labels)


def test_vectors_are_fixed_size_lists_of_float32(tmp_path):
    write_dataset(
        Dataset("vectors", np.ones((2, 3), np.float32), ("a", None), ("i", "j"), "memory"),
        tmp_path / "x.parquet",
    )
    schema = pq.read_schema(tmp_path / "x.parquet")
    assert schema.field("embedding").type == pa.list_(pa.float32(), 3)
    assert pd.read_parquet(tmp_path / "x.parquet")["label"].isna().tolist() == [False, True]


def test_no_samples_give_no_rows(tmp_path):
    for name in ("digits", None):
        none = (
            read_dataset(name).take(np.arange(0))
            if name
            else Dataset("vectors", np.empty((0, 4), np.float32), (), (), "m")
        )
        write_dataset(none, tmp_path / "x.parquet")
        assert pq.read_table(tmp_path / "x.parquet").num_rows == 0
        with pytest.raises(InputError, match=r"x.parquet holds no rows"):
            read_dataset(str(tmp_path / "x.parquet"))
