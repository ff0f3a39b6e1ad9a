import numpy as np
import pytest
from PIL import Image

from common.data.read import ReadOptions, read_dataset
from common.errors import InputError


def _save(path, value, side=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side, side), value, dtype=np.uint8)).save(path)


def test_one_folder_a_class_and_unlabelled_beside_them(tmp_path):
    for i, file in enumerate(["cat/2.png", "cat/deep/1.PNG", "_unlabelled/a.bmp", "dog/x.tif"]):
        _save(tmp_path / file, 10 * i)
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    _save(tmp_path / ".hidden" / "z.png", 0)
    (tmp_path / "cat" / ".DS_Store").write_text("")
    dataset = read_dataset(str(tmp_path))
    assert dataset.ids == ("_unlabelled/a.bmp", "cat/2.png", "cat/deep/1.PNG", "dog/x.tif")
    assert dataset.labels == (None, "cat", "cat", "dog")
    assert dataset.x[:, 0, 0, 0].tolist() == [20, 0, 10, 30]


def test_a_flat_folder_is_unlabelled(tmp_path):
    _save(tmp_path / "1.png", 1)
    dataset = read_dataset(str(tmp_path))
    assert (dataset.ids, dataset.labels, dataset.x.shape) == (("1.png",), (None,), (1, 1, 4, 4))


def test_rows_are_chosen_before_anything_is_decoded(tmp_path):
    for i in range(20):
        _save(tmp_path / "a" / f"{i:02}.png", i)
    chosen = np.sort(np.random.default_rng(0).permutation(20)[:5])
    for i in set(range(20)) - set(chosen.tolist()):
        (tmp_path / "a" / f"{i:02}.png").write_bytes(b"broken")
    assert read_dataset(str(tmp_path), ReadOptions(rows=5)).x[:, 0, 0, 0].tolist() == chosen.tolist()


def test_a_bad_file_is_named_or_skipped(tmp_path):
    _save(tmp_path / "a" / "good.png", 1)
    (tmp_path / "a" / "bad.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"a/bad.png: the image cannot be decoded; .*skip-bad-images=true"):
        read_dataset(str(tmp_path))
    dataset = read_dataset(str(tmp_path), ReadOptions(skip_bad_images=True))
    assert (dataset.ids, dataset.labels) == (("a/good.png",), ("a",))
    assert "a/bad.png was left out" in dataset.skipped[0]


def test_sizes_that_differ(tmp_path):
    _save(tmp_path / "a" / "1.png", 1, side=4)
    _save(tmp_path / "b" / "2.png", 1, side=6)
    with pytest.raises(InputError, match=r"a/1.png is 4x4, b/2.png is 6x6.*--set image-size=32"):
        read_dataset(str(tmp_path))
    assert read_dataset(str(tmp_path), ReadOptions(image_size=5)).x.shape == (2, 1, 5, 5)


def test_nothing_or_both_forms(tmp_path):
    with pytest.raises(InputError, match=r"has no images in it \(is empty\); give it one folder of images a class"):
        read_dataset(str(tmp_path))
    (tmp_path / "part.parquet").write_text("")
    with pytest.raises(InputError, match=r"has no images in it \(holds part.parquet\)"):
        read_dataset(str(tmp_path))
    _save(tmp_path / "a" / "1.png", 1)
    _save(tmp_path / "2.png", 1)
    with pytest.raises(InputError, match=r"loose images \(2.png\); move the loose ones into _unlabelled/"):
        read_dataset(str(tmp_path))
