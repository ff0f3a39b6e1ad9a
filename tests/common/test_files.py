import json
import os
import stat

import pytest

from common.files import write_atomically, write_json, write_text


def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(temporary):
        temporary.write_text("half of the n")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    seen = []

    def write(temporary):
        temporary.write_text("new")
        seen.append(path.read_text())

    write_atomically(path, write)
    assert seen == ["old"]
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_folders_are_made_and_the_mode_is_as_asked(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    write_text(path, "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_atomically(path, lambda temporary: temporary.write_text("y"), mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_json_without_nan(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, None, "ü"]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1, None, "ü"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1, None, "ü"]}
