import io
import json

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from common.data.read import ReadOptions, read_dataset
from common.errors import InputError

_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _read(tmp_path, columns, name="x.parquet", **options):
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, tmp_path / name)
    return read_dataset(str(tmp_path / name), ReadOptions(**options))


def _png(pixels, mode=None):
    image = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("value", [pa.float16(), pa.float32(), pa.float64(), pa.int8()])
@pytest.mark.parametrize("size", [3, -1, None])
def test_embeddings_of_every_list_type(tmp_path, value, size):
    rows = [[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]]
    kind = pa.large_list(value) if size is None else pa.list_(value, size)
    whole = pa.types.is_integer(value)
    content = [[int(v) for v in row] for row in rows] if whole else [np.array(row, np.float16) for row in rows]
    if not pa.types.is_float16(value):
        content = [[int(v) if whole else float(v) for v in row] for row in rows]
    column = pa.chunked_array([pa.array(content[:1], kind), pa.array(content[1:], kind)])
    dataset = _read(tmp_path, {"embedding": column, "note": ["any", "text"]})
    np.testing.assert_array_equal(dataset.x, np.array(rows, np.float32))
    assert dataset.x.dtype == np.float32
    assert dataset.columns == ()


def test_a_number_called_embedding_is_one_column_among_others(tmp_path):
    dataset = _read(tmp_path, {"embedding": [1.0, 2.0], "b": [3, 4]})
    assert dataset.columns == ("embedding", "b")
    assert dataset.x.tolist() == [[1, 3], [2, 4]]


def test_the_index_of_a_pandas_frame_is_no_feature(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "label": list("xyz")}).iloc[[2, 0, 1]]
    frame.to_parquet(tmp_path / "x.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "x.parquet").names
    dataset = read_dataset(str(tmp_path / "x.parquet"))
    assert dataset.columns == ("a",)
    assert dataset.ids == ("0", "1", "2")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(1, 8), d=st.integers(1, 5))
def test_numeric_tables_equal_what_pandas_reads(tmp_path, data, n, d):
    kinds = st.sampled_from(["int8", "uint16", "int64", "float32", "float64", "bool"])
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    frame = pd.DataFrame({f"c{j}": (rng.normal(size=n) * 50).clip(0, 120).astype(data.draw(kinds)) for j in range(d)})
    frame["id"] = [f"s{i}" for i in range(n)]
    frame.to_parquet(tmp_path / "x.parquet")
    dataset = read_dataset(str(tmp_path / "x.parquet"))
    expected = pd.read_parquet(tmp_path / "x.parquet").drop(columns="id").to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(dataset.x, expected)
    assert dataset.ids == tuple(frame["id"])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"embedding": [[1.0, 2.0], [1.0]]},
            r"column 'embedding' holds 1 numbers in row 1 but 2 in row 0; .*same length",
        ),
        ({"embedding": [[1.0], None]}, r"column 'embedding' is empty in row 1 \(1 in all\); remove"),
        ({"embedding": [[1.0, 2.0], [1.0, None]]}, r"'embedding': 1 rows .* \(first in row 1\)"),
        (
            {"embedding": [[1.0], [float("inf")], [float("nan")]]},
            r"'embedding': 2 rows .* \(first in row 1\); fill",
        ),
        ({"embedding": [["a"], ["b"]]}, r"'embedding' has type list.*; it must be a list of numbers"),
        (
            {"embedding": pa.array([[], []], pa.list_(pa.float32()))},
            r"'embedding' holds lists without numbers",
        ),
        (
            {"a": [1, 2], "b": ["u", "v"]},
            r"column 'b': text in a numeric column \(first in row 0: 'u'\).*label-column",
        ),
        ({"a": [1, 2], "b": ["1", "v"]}, r"column 'b': text in a numeric column \(first in row 1: 'v'\)"),
        ({"a": pa.array([0, 1], pa.timestamp("s"))}, r"column 'a': timestamp\[m?s\] in a numeric column"),
        ({"a": [1.0, None, None]}, r"column 'a': 2 values .* \(first in row 1\)"),
        ({"id": [1, 1], "a": [1, 2]}, r"column 'id', row 1: the id '1' is already that of row 0"),
        ({"id": [1.5, 2.5], "a": [1, 2]}, r"column 'id', row 0: 1.5 is neither text nor a whole number"),
        ({"label": ["a"]}, r"holds nothing to learn from \(columns: label\); give it an 'image' column"),
        ({"image": ["a.png"]}, r"column 'image' has type string; it must hold encoded image files"),
        ({"a": pa.array([], pa.float32())}, r"holds no rows; give it at least one sample"),
        ({"a": [1], "label": [[1]]}, r"column 'label', row 0: the label \[1\] names no class"),
    ],
)
def test_bad_columns(tmp_path, columns, sentence):
    with pytest.raises(InputError, match=r"x.parquet.*" + sentence) as caught:
        _read(tmp_path, columns)
    assert "\n" not in str(caught.value)


def test_row_numbers_in_messages_are_those_of_the_file(tmp_path):
    values = np.ones(100)
    values[60:] = np.nan
    chosen = np.sort(np.random.default_rng(0).permutation(100)[:20])
    first = chosen[chosen >= 60][0]
    with pytest.raises(InputError, match=rf"{(chosen >= 60).sum()} values .*first in row {first}\)"):
        _read(tmp_path, {"a": values}, rows=20)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_broken_file(tmp_path, content):
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"x.parquet cannot be read as Parquet .*; write or copy the file again"):
        read_dataset(str(tmp_path / "x.parquet"))


def test_a_damaged_page(tmp_path):
    _read(tmp_path, {"a": np.random.default_rng(0).normal(size=5000)})
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    content[4:400] = b"\xff" * 396
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"x.parquet cannot be read as Parquet"):
        read_dataset(str(tmp_path / "x.parquet"))


def test_images_as_struct_as_bytes_and_by_path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    files = [_png(p) for p in pixels]
    (tmp_path / "b.png").write_bytes(files[1])
    struct = pa.array([{"bytes": files[0], "path": None}, {"bytes": None, "path": "b.png"}], _STRUCT)
    for column in (struct, pa.array(files), pa.array(files, pa.large_binary())):
        dataset = _read(tmp_path, {"image": column, "label": ["x", ""], "note": ["any", "text"]})
        np.testing.assert_array_equal(dataset.x, pixels.transpose(0, 3, 1, 2))
        assert dataset.x.dtype == np.uint8
        assert (dataset.kind, dataset.labels) == ("images", ("x", None))


def test_grey_stays_grey_unless_mixed_and_palettes_become_rgb(tmp_path):
    grey, rgb = np.full((2, 2), 7), np.full((2, 2, 3), 51)
    assert _read(tmp_path, {"image": [_png(grey)] * 2}).x.shape == (2, 1, 2, 2)
    mixed = _read(tmp_path, {"image": [_png(grey), _png(rgb), _png(rgb, "RGBA"), _png(rgb, "P")]}).x
    np.testing.assert_array_equal(mixed[:, :, 0, 0], [[7] * 3, [51] * 3, [51] * 3, [51] * 3])


def test_sixteen_bit_grey_is_scaled(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 65535], [257 * 100, 128]], dtype=np.uint16)).save(buffer, "PNG")
    assert _read(tmp_path, {"image": [buffer.getvalue()]}).x[0, 0].tolist() == [[0, 255], [100, 0]]


def test_sizes(tmp_path):
    images = [_png(np.zeros((4, 6))), _png(np.full((8, 8), 50))]
    with pytest.raises(InputError, match=r"x.parquet: .*row 0 is 6x4, .*row 1 is 8x8.*--set image-size=32"):
        _read(tmp_path, {"image": images})
    dataset = _read(tmp_path, {"image": images}, image_size=4)
    assert dataset.x.shape == (2, 1, 4, 4)
    assert (dataset.x[1] == 50).all()
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (128, 1))
    small = _read(tmp_path, {"image": [_png(ramp)]}, image_size=4).x[0, 0, 0].astype(float)
    means = ramp[0].reshape(4, 32).mean(axis=1)  # antialiased: every pixel stands for its whole neighbourhood
    assert np.abs(small - means).max() < 12


def test_a_bad_image_is_named_or_skipped(tmp_path):
    columns = {
        "image": [_png(np.zeros((2, 2))), b"junk", None, _png(np.ones((2, 2)))],
        "label": list("abcd"),
        "id": list("wxyz"),
    }
    with pytest.raises(InputError, match=r"x.parquet: column 'image', row 1: .*decoded; .*skip-bad-images=true"):
        _read(tmp_path, columns)
    dataset = _read(tmp_path, columns, skip_bad_images=True)
    assert (dataset.ids, dataset.labels, len(dataset.x)) == (("w", "z"), ("a", "d"), 2)
    assert len(dataset.skipped) == 2
    assert "row 1" in dataset.skipped[0]
    with pytest.raises(InputError, match="none of the 1 images can be read"):
        _read(tmp_path, {"image": [b"junk"]}, skip_bad_images=True)


def test_a_truncated_image_and_a_missing_one_are_bad(tmp_path):
    whole = _png(np.random.default_rng(0).integers(0, 256, (32, 32, 3)))
    with pytest.raises(InputError, match="row 0: the image cannot be decoded"):
        _read(tmp_path, {"image": [whole[:300]]})
    gone = pa.array([{"bytes": None, "path": "gone.png"}], _STRUCT)
    with pytest.raises(InputError, match=r"row 0: the image file .*gone.png' does not exist"):
        _read(tmp_path, {"image": gone})


def test_many_large_images_keep_their_order(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, 200)
    noise = np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    files = []
    for value in values:
        noise[0, 0] = value
        files.append(_png(noise))
    assert min(map(len, files)) > 16_384  # large enough for the pool
    np.testing.assert_array_equal(_read(tmp_path, {"image": files}).x[:, 0, 0, 0], values)


def test_cifar_equals_what_datasets_decodes(shared_data):
    path = str(shared_data / "cifar10-test.parquet")
    ours = read_dataset(path, ReadOptions(rows=50))
    table = datasets.Dataset.from_parquet(path).select([int(i) for i in ours.ids])
    np.testing.assert_array_equal(ours.x, np.stack([np.asarray(i) for i in table["image"]]).transpose(0, 3, 1, 2))
    assert ours.labels == tuple(table.features["label"].int2str(list(table["label"])))


def test_cifar_embeddings_equal_what_pandas_reads(shared_data):
    path = shared_data / "cifar10-embeddings-test.parquet"
    ours, frame = read_dataset(str(path)), pd.read_parquet(path)
    np.testing.assert_array_equal(ours.x, np.stack(frame["embedding"]).astype(np.float32))
    assert ours.labels == tuple(str(label) for label in frame["label"])
    assert json.dumps(ours.sample_shape) == "[256]"
