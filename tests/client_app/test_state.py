import json
import logging
import os
import stat

import numpy as np
import pytest

from client_app.kept_arrays import write_arrays
from client_app.state import FILE, VERSION, PrivateState


def _filled(folder, fingerprint="here"):
    state = PrivateState(folder, fingerprint)
    state.update({"a": np.arange(6).reshape(2, 3).T, "b": np.zeros(0)}, {"round": 3, "key": "x"})
    return state


def test_state_comes_back_and_updates_add_up(tmp_path):
    _filled(tmp_path).update({"c": np.ones(2, np.float32)}, {"round": 4})
    again = PrivateState(tmp_path, "here")
    assert again.values == {"round": 4, "key": "x"}
    assert again.arrays.keys() == {"a", "b", "c"}
    np.testing.assert_array_equal(again.arrays["a"], np.arange(6).reshape(2, 3).T)
    assert again.arrays["b"].shape == (0,)


def test_only_the_owner_may_read_it_at_any_moment(tmp_path, monkeypatch):
    modes = []
    replace = os.replace

    def watched(source, target):
        modes.append(stat.S_IMODE(os.stat(source).st_mode))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    _filled(tmp_path)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_write_that_breaks_off_leaves_the_state_before_it(tmp_path, monkeypatch):
    state = _filled(tmp_path)

    def half(arrays, path, metadata):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.numpy.save_file", half)
    with pytest.raises(KeyboardInterrupt):
        state.update({"a": np.zeros(1)}, {"round": 9})
    again = PrivateState(tmp_path, "here")
    assert again.values["round"] == 3
    assert again.arrays["a"].shape == (3, 2)
    assert os.listdir(tmp_path) == [FILE]


def _other_version(path):
    write_arrays(path, {"a": np.zeros(1)}, {"version": VERSION + 1, "fingerprint": "here", "values": {}})


def _no_checksum(path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, path, {"fedlpa": json.dumps({"version": 1, "fingerprint": "here", "values": {}})})


def _one_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1  # of an array
    path.write_bytes(content)


def _header_of_another_kind(path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, path, {"fedlpa": "[]"})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"nonsense"), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), "is damaged"),
        (_other_version, "another version"),
        (_no_checksum, "is damaged"),
        (_one_bit, "its checksum does not fit"),
        (_header_of_another_kind, "is damaged"),
    ],
)
def test_state_that_cannot_be_used_is_discarded_with_a_line_in_the_log(tmp_path, caplog, spoil, said):
    _filled(tmp_path)
    spoil(tmp_path / FILE)
    with caplog.at_level(logging.WARNING, "fedlpa.site"):
        state = PrivateState(tmp_path, "here")
    assert said in caplog.text
    assert (state.arrays, state.values) == ({}, {})
    state.update({}, {"round": 1})
    assert PrivateState(tmp_path, "here").values == {"round": 1}


def test_state_of_other_data_is_discarded(tmp_path, caplog):
    _filled(tmp_path)
    with caplog.at_level(logging.WARNING, "fedlpa.site"):
        state = PrivateState(tmp_path, "elsewhere")
    assert "the data or the model has changed" in caplog.text
    assert (state.arrays, state.values) == ({}, {})
