import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from common.data.read import ReadOptions, read_dataset
from common.errors import InputError


def test_digits():
    dataset, bunch = read_dataset("digits"), load_digits()
    assert (dataset.x.shape, dataset.x.dtype, dataset.kind) == ((1797, 1, 8, 8), np.uint8, "images")
    assert np.abs(dataset.x[:, 0] / 255 - bunch.images / 16).max() <= 0.5 / 255
    assert dataset.x.max() == 255
    assert dataset.labels == tuple(str(label) for label in bunch.target)
    assert dataset.ids == tuple(str(i) for i in range(1797))


def test_a_few_digits_resized():
    whole, part = (
        read_dataset("digits"),
        read_dataset("digits", ReadOptions(rows=7, rows_seed=2, image_size=16)),
    )
    chosen = np.sort(np.random.default_rng(2).permutation(1797)[:7])
    assert part.ids == tuple(str(i) for i in chosen)
    assert part.labels == tuple(whole.labels[i] for i in chosen)
    assert part.x.shape == (7, 1, 16, 16)
    assert np.abs(part.x.mean((1, 2, 3)) - whole.x[chosen].mean((1, 2, 3))).max() < 5


def test_what_is_missing_or_unknown(tmp_path):
    (tmp_path / "wine.csv").write_text("a\n1\n")
    (tmp_path / "wine.xlsx").write_text("")
    (tmp_path / "graph.npz").write_text("")
    for name, sentence in (
        ("wyne.csv", r"wyne.csv does not exist; did you mean 'wine.csv'\?"),
        ("q", r"q does not exist; check the path\."),
        ("no/where.csv", r"where.csv does not exist, nor does the folder .*no; check the path\."),
        ("wine.xlsx", r"wine.xlsx is of no kind this reads; give a .parquet"),
        ("graph.npz", r"graph.npz holds a graph; graphs need --method fedlog"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_dataset(str(tmp_path / name))
    with pytest.raises(InputError, match=r"digit does not exist; did you mean 'digits'\?"):
        read_dataset("digit")


@pytest.mark.parametrize("options", [{"rows": 0}, {"image_size": 0}, {"rows_seed": -1}])
def test_options_out_of_range(options):
    with pytest.raises(InputError, match=r"0 but must be at least 1|-1 is negative"):
        ReadOptions(**options)


def test_new_data_need_not_have_the_label_column_of_old(tmp_path):
    pd.DataFrame({"a": [1.0, 2.0]}).to_csv(tmp_path / "bare.csv", index=False)
    pd.DataFrame({"a": [1.0, 2.0], "label": ["x", "y"]}).to_parquet(tmp_path / "usual.parquet")
    pd.DataFrame({"a": [1.0, 2.0], "class": ["x", "y"]}).to_parquet(tmp_path / "same.parquet")
    options = ReadOptions(label_column="class", label_optional=True)
    for name, labels in (("bare.csv", (None, None)), ("usual.parquet", ("x", "y")), ("same.parquet", ("x", "y"))):
        dataset = read_dataset(str(tmp_path / name), options)
        assert (dataset.labels, dataset.columns) == (labels, ("a",))
    with pytest.raises(InputError, match=r"bare.csv has no column 'class' for the labels"):
        read_dataset(str(tmp_path / "bare.csv"), ReadOptions(label_column="class"))
