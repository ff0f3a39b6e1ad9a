import gzip
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.data.read import ReadOptions, read_dataset
from common.errors import InputError

_floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
_names = st.text("abcdefgh ,;\"'\näß#", min_size=1, max_size=8).filter(lambda s: s.strip() and not s.isspace())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(_floats, st.integers(-(2**24), 2**24), st.booleans(), st.none() | _names), min_size=1),
    packed=st.booleans(),
)
def test_what_pandas_writes_is_read_back(tmp_path, rows, packed):
    frame = pd.DataFrame(rows, columns=["size, in mm", "count", "flag", "label"])
    path = tmp_path / ("x.csv.gz" if packed else "x.csv")
    frame.to_csv(path, index=False)
    dataset = read_dataset(str(path))
    expected = np.array([[size, count, flag] for size, count, flag, _ in rows], dtype=np.float32)
    np.testing.assert_array_equal(dataset.x, expected)
    assert dataset.x.dtype == np.float32
    assert dataset.labels == tuple(name and name.strip() for *_, name in rows)
    assert dataset.ids == tuple(str(row) for row in range(len(rows)))
    assert dataset.columns == ("size, in mm", "count", "flag")


def _read(tmp_path, text, name="bad.csv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_dataset(str(path), ReadOptions(**options))


def test_the_first_value_does_not_decide_the_type(tmp_path):
    many = "\n".join(["1,x"] * 300_000)  # more than the block from which a library would guess the type
    dataset = _read(tmp_path, f"a,label\n{many}\n2.5,y\n")
    assert dataset.x[-1, 0] == 2.5
    assert dataset.classes == ("x", "y")


def test_ids_byte_order_mark_and_windows_line_ends(tmp_path):
    dataset = _read(tmp_path, b"\xef\xbb\xbfid,a, label\r\n007,1,x\r\n8,2,\r\n")
    assert (dataset.ids, dataset.labels, dataset.columns) == (("007", "8"), ("x", None), ("a",))


def test_one_sample_and_a_constant_column(tmp_path):
    dataset = _read(tmp_path, "a,b\n1,1\n")
    assert dataset.x.tolist() == [[1.0, 1.0]]
    assert dataset.labels == (None,)


def test_other_label_column(tmp_path):
    dataset = _read(tmp_path, "a,kind\n1,x\n", label_column="kind")
    assert dataset.labels == ("x",)
    with pytest.raises(InputError, match=r"bad.csv has no column 'kin' for the labels; did you mean 'kind'\?"):
        _read(tmp_path, "a,kind\n1,x\n", label_column="kin")


def test_rows_are_drawn_at_random_and_keep_their_numbers(tmp_path):
    text = "a,label\n" + "".join(f"{i},{i}\n" for i in range(100))
    dataset = _read(tmp_path, text, rows=10, rows_seed=3)
    expected = np.sort(np.random.default_rng(3).permutation(100)[:10])
    assert dataset.ids == dataset.labels == tuple(str(i) for i in expected)
    np.testing.assert_array_equal(dataset.x[:, 0], expected)
    assert len(_read(tmp_path, text, rows=1000)) == 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"bad.csv is empty; give it a line of column names"),
        ("a,label\n", r"bad.csv holds no rows; give it at least one sample"),
        (
            "a,b\n1,2\n3\n",
            r"bad.csv: row 1 has 1 fields where the first line names 2 columns; mend that line",
        ),
        ("a,b\n1,2\n3,4,5\n", r"bad.csv: row 1 has 3 fields"),
        ("a,b\n1,\xe4".encode("latin1"), r"bad.csv, line 2: not UTF-8 text; save the file as CSV in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), r"bad.csv, line 1: not UTF-8 text"),
        ("a;b\n1;2\n", r"bad.csv, line 1: the columns are separated by ';'; separate them by commas"),
        (",a\n0,1\n", r"bad.csv, line 1: column 0 has no name; .*index=False"),
        ("5.1,3\n1,2\n", r"bad.csv, line 1: numbers .* write a first line of names"),
        ("a,a\n1,2\n", r"bad.csv: the column 'a' occurs more than once; rename"),
        (
            "a,b\n1,2\n3,low\n",
            r"bad.csv: column 'b': text in a numeric column \(first in row 1: 'low'\).*label-column",
        ),
        (
            "a,b\n1,2\n3,\n5,\n",
            r"bad.csv: column 'b': 2 values empty, NaN or infinite \(first in row 1\); fill",
        ),
        ("a,b\n1,nan\n3,inf\n", r"bad.csv: column 'b': 2 values .* \(first in row 0\)"),
        ("a,b\n1,1e300\n", r"bad.csv: column 'b': 1 values"),
        ("a,b\n,1\n,1\n", r"bad.csv: column 'a': 2 values"),
        (
            "id,a\nx,1\nx,2\n",
            r"bad.csv: column 'id', row 1: the id 'x' is already that of row 0; ids must be unique",
        ),
        ("id,a\nx,1\n,2\n", r"bad.csv: column 'id', row 1 is empty; give every row an id"),
        ("id,label\nx,1\n", r"bad.csv holds nothing to learn from \(columns: id, label\); give it .*numeric"),
        ("a,label\n1,0.5\n2,1.5\n", r"bad.csv: column 'label', row 0: the label 0.5 names no class"),
    ],
)
def test_bad_files(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        _read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_broken_gzip(tmp_path):
    packed = gzip.compress(b"a,b\n1,2\n" * 100)
    for content in (packed[:-12], b"no gzip", packed[:20] + b"\0\0\0\0" + packed[24:]):
        with pytest.raises(InputError, match=r"bad.csv.gz cannot be read .* copy the file again"):
            _read(tmp_path, content, "bad.csv.gz")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.text('ab,;"\n\r\t 01.-é', max_size=60).map(str.encode)))
@example(b"\t\r0")
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    try:
        dataset = read_dataset(str(path))
    except InputError:
        return
    assert len(dataset) == len(dataset.x) == len(dataset.labels) > 0
    assert np.isfinite(dataset.x).all()


def test_numbers_as_column_names_are_names(tmp_path):
    frame = pd.DataFrame(np.eye(3))
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False)
    assert _read(tmp_path, buffer.getvalue()).columns == ("0", "1", "2")
