"""A partition of a graph as a folder of files."""

import dataclasses

import numpy as np
import pytest

from common.data.graph_partition import partition_graph
from common.data.partition_files import partition_names, read_client, read_partition, write_partition
from common.errors import InputError


def test_a_partition_on_disk_is_the_same(tmp_path, block_graph):
    parts = partition_graph(block_graph, 2, seed=0)
    write_partition(parts, tmp_path / "p", {"class_names": list("abcde")})
    again = read_partition(tmp_path / "p")
    for one, two in zip(parts, again, strict=True):
        for field in dataclasses.fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name), err_msg=field.name)
    assert partition_names(tmp_path / "p", 5) == tuple("abcde")
    assert partition_names(tmp_path / "p", 4) == ("0", "1", "2", "3")


def test_the_shared_partition_is_read(shared_data):
    parts = read_partition(shared_data / "cora-3")
    assert [len(part) for part in parts] == [447, 381, 499, 677]
    assert [part.hidden.tolist() for part in parts] == [[4, 6], [2, 3], [1, 5], []]


def test_broken_client_files_get_one_sentence(tmp_path, block_graph):
    write_partition(partition_graph(block_graph, 2, seed=0), tmp_path / "p", {})
    path = tmp_path / "p" / "client0.npz"
    arrays = dict(np.load(path))
    for changes, told in (
        ({"y": arrays["y"][1:]}, "y has shape"),
        ({"y": arrays["y"] + 5}, "outside 0 to 4"),
        ({"edge_index": arrays["edge_index"] + 200}, "edge_index names node"),
        ({"edge_index": arrays["edge_index"][0]}, "edge_index has shape"),
    ):
        np.savez(path, **{**arrays, **changes})
        with pytest.raises(InputError, match=told):
            read_client(path)
    path.unlink()
    with pytest.raises(InputError, match="holds 0 of the client"):
        read_partition(tmp_path / "p")
    with pytest.raises(InputError, match="is no folder"):
        read_partition(tmp_path / "nowhere")
