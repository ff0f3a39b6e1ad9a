import numpy as np

from common.discovery.catalogue import Catalogue, category_labels, number_by_size


def _catalogue():
    return Catalogue(
        rows=np.eye(3, 4, dtype=np.float32),
        names=np.array([1, -1, -1]),
        numbers=np.array([0, 7, 2]),
        counts=np.array([5, 3, 9]),
    )


def test_labels_are_seen_names_and_lasting_numbers():
    assert _catalogue().labels(["cat", "dog"]) == ["dog", "novel-7", "novel-2"]
    assert category_labels(np.array([-1]), np.array([12]), []) == ["novel-12"]


def test_arrays_round_trip_and_restore_the_dtypes():
    catalogue = _catalogue()
    sent = {name: array.astype(np.float64) for name, array in catalogue.arrays().items()}
    again = Catalogue.from_arrays({**sent, "own": np.zeros(2)})
    assert len(again) == 3
    assert again.arrays().keys() == {"rows", "names", "numbers", "counts"}
    for name, array in catalogue.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)
        assert again.arrays()[name].dtype == array.dtype


def test_novel_categories_are_numbered_by_size_and_ties_by_position():
    names = np.array([-1, 0, -1, -1, 2, -1])
    counts = np.array([4, 90, 9, 4, 80, 1])
    assert number_by_size(names, counts).tolist() == [2, 0, 1, 3, 0, 4]
    assert number_by_size(names[:0], counts[:0]).tolist() == []
