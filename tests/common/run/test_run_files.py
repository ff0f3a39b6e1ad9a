import json
import random
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save

from common.config import make_config
from common.errors import InputError
from common.run.checkpoint import Snapshot, read_checkpoint, write_checkpoint
from common.run.record import RoundRecord
from common.run.run_files import RunFiles

CONFIG = make_config(
    {"kind": "vectors", "sample-shape": [4], "seen-classes": ["a"], "classes": ["a", "b"], "alpha": 0.3}
)


def _claimed(folder, config=CONFIG):
    files = RunFiles(folder)
    assert files.claim(config, overwrite=False) is False
    files.write_config(config)
    return files


def _unfinished(folder):
    files = _claimed(folder)
    write_checkpoint(files.checkpoint, 1, Snapshot({"w": np.zeros(1)}, {}))
    return files


def test_a_new_folder_is_claimed_and_an_unfinished_run_goes_on(tmp_path):
    files = _claimed(tmp_path / "deep" / "run")
    assert files.claim(CONFIG, overwrite=False) is False
    write_checkpoint(files.checkpoint, 1, Snapshot({}, {}))
    assert files.claim(CONFIG, overwrite=False) is True


@pytest.mark.parametrize("same", [{"out": "elsewhere"}, {"threads": 2}, {"device": "cpu"}, {"tensorboard": False}])
def test_what_is_about_the_place_does_not_make_another_run(tmp_path, same):
    assert _unfinished(tmp_path / "run").claim(CONFIG.but(**same), overwrite=False) is True


@pytest.mark.parametrize(
    "other", [{"alpha": 0.5}, {"knn": 11}, {"rounds": 5}, {"seen_classes": ("b",)}, {"classes": ("a", "c")}]
)
def test_an_unfinished_run_with_other_settings_is_kept(tmp_path, other):
    files = _unfinished(tmp_path / "run")
    with pytest.raises(InputError, match="unfinished run with other settings"):
        files.claim(CONFIG.but(**other), overwrite=False)
    assert files.checkpoint.exists()
    assert files.claim(CONFIG.but(**other), overwrite=True) is False
    assert not files.checkpoint.exists()


def test_a_finished_run_is_only_replaced_when_told_so(tmp_path):
    files = _unfinished(tmp_path / "run")
    files.metrics.write_text("{}")
    files.model.mkdir()
    (files.folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="already holds a finished run"):
        files.claim(CONFIG, overwrite=False)
    assert files.claim(CONFIG, overwrite=True) is False
    assert [path.name for path in files.folder.iterdir()] == ["notes.txt"]


def test_a_run_with_a_damaged_checkpoint_is_neither_resumed_nor_lost(tmp_path):
    files = _unfinished(tmp_path / "run")
    write_checkpoint(files.checkpoint, 1, Snapshot({"x": np.ones(3)}, {}))
    whole = files.checkpoint.read_bytes()
    files.checkpoint.write_bytes(whole[:-5])
    with pytest.raises(InputError, match=r"checkpoint\.safetensors cannot be read .*; restore it or start again"):
        files.claim(CONFIG, overwrite=False)
    files.checkpoint.write_bytes(whole)
    assert files.claim(CONFIG, overwrite=False) is True


def test_a_checkpoint_of_another_version_is_refused_not_misread(tmp_path):
    files = _unfinished(tmp_path / "run")
    header = json.dumps({"schema": 1, "round": 1, "values": {}})
    files.checkpoint.write_bytes(save({"w": np.zeros(1)}, {"fedlpa": header}))
    with pytest.raises(InputError, match="another version, schema 1"):
        files.claim(CONFIG, overwrite=False)


def test_a_folder_whose_run_died_before_it_began_is_claimed(tmp_path):
    for name in (".follow.lock", ".run.lock", ".config.json.abc.part"):
        (tmp_path / name).touch()
    assert RunFiles(tmp_path).claim(CONFIG, overwrite=False) is False


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, overwrite):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "model").mkdir()
    with pytest.raises(InputError, match="not empty and holds no run"):
        RunFiles(folder).claim(CONFIG, overwrite=overwrite)
    assert (folder / "model").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        RunFiles(tmp_path / "file").claim(CONFIG, overwrite=overwrite)
    with pytest.raises(InputError, match="cannot be written"):
        RunFiles(tmp_path / "file" / "run").claim(CONFIG, overwrite=overwrite)


def test_a_damaged_configuration_is_told(tmp_path):
    files = _unfinished(tmp_path / "run")
    files.config.write_text("{")
    with pytest.raises(InputError, match=r"config\.json"):
        files.claim(CONFIG, overwrite=False)


def test_lines_are_read_back_and_one_cut_short_is_left_out(tmp_path):
    files = _claimed(tmp_path / "run")
    assert files.history() == []
    for number in (1, 2, 3):
        files.add_round(RoundRecord(round=number, loss={"total": 0.5}))
    assert [record.round for record in files.history()] == [1, 2, 3]
    files.rounds.write_text(files.rounds.read_text()[:-7])
    assert [record.round for record in files.history()] == [1, 2]


def test_resuming_drops_later_lines_and_goes_on_in_a_fresh_one(tmp_path):
    files = _claimed(tmp_path / "run")
    for number in (1, 2, 3):
        files.add_round(RoundRecord(round=number))
    with open(files.rounds, "a") as file:
        file.write('{"round": 4, "lo')
    assert files.keep_rounds(2) == [RoundRecord(round=1), RoundRecord(round=2)]
    files.add_round(RoundRecord(round=3))
    assert [record.round for record in files.history()] == [1, 2, 3]
    assert files.rounds.read_text().count("\n") == 3


def test_what_a_later_version_wrote_of_a_round_survives_a_resume(tmp_path):
    files = _claimed(tmp_path / "run")
    line = '{"round": 1, "weather": "rain"}\n'
    files.rounds.write_text(line + '{"round": 2}\n')
    assert [record.round for record in files.keep_rounds(1)] == [1]
    assert files.rounds.read_text() == line


def test_a_record_with_nan_is_refused(tmp_path):
    files = _claimed(tmp_path / "run")
    with pytest.raises(ValueError, match="finite"):
        files.add_round(RoundRecord(round=1, loss={"total": float("nan")}))
    assert files.history() == []


def test_a_checkpoint_comes_back(tmp_path):
    files = _claimed(tmp_path / "run")
    arrays = {"weights/w": np.arange(6, dtype=np.float32).reshape(2, 3).T, "own/site-1": np.array([3, 1])}
    write_checkpoint(files.checkpoint, 1, Snapshot({"old": np.zeros(2)}, {}))
    write_checkpoint(files.checkpoint, 7, Snapshot(arrays, {"curve": [0.5, 1.0], "next-number": 4}))
    done, snapshot = read_checkpoint(files.checkpoint)
    assert done == 7
    assert snapshot.values == {"curve": [0.5, 1.0], "next-number": 4}
    assert snapshot.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(snapshot.arrays[name], array)
        assert snapshot.arrays[name].dtype == array.dtype


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b"", lambda b: b"\x00" * len(b), lambda b: b[:20]])
def test_a_damaged_checkpoint_is_told(tmp_path, damage):
    files = _unfinished(tmp_path / "run")
    files.checkpoint.write_bytes(damage(files.checkpoint.read_bytes()))
    with pytest.raises(InputError, match=r"checkpoint\.safetensors cannot be read"):
        read_checkpoint(files.checkpoint)


WRITER = """
import sys
from pathlib import Path
import numpy as np
from common.run.checkpoint import Snapshot, read_checkpoint, write_checkpoint
from common.run.record import RoundRecord
from common.run.run_files import RunFiles

files = RunFiles(Path(sys.argv[1]))
done = read_checkpoint(files.checkpoint)[0] if files.checkpoint.exists() else 0
files.keep_rounds(done)
print("ready", flush=True)
for number in range(done + 1, 10**6):
    files.add_round(RoundRecord(round=number))
    snapshot = Snapshot({"w": np.full(500_000, number), "v": np.full((3, 7), -number)}, {"number": number})
    print("begins", number, flush=True)
    write_checkpoint(files.checkpoint, number, snapshot)
    print("wrote", number, flush=True)
"""


@pytest.mark.runs
def test_a_server_killed_while_it_writes_leaves_a_whole_checkpoint(tmp_path):
    """Of the last round, or of the one before it; whoever goes on from it has each round once, and no rubbish."""
    files, rng = _claimed(tmp_path / "run"), random.Random(3)
    midway = 0
    for _ in range(12):
        told = _killed_after(files.folder, rng.uniform(0.0, 0.05))
        last = max((int(line.split()[1]) for line in told if line.startswith("wrote")), default=0)
        done, snapshot = read_checkpoint(files.checkpoint)
        assert last <= done <= last + 1 or last == 0
        assert snapshot.values == {"number": done}
        assert (snapshot.arrays["w"] == done).all()
        assert (snapshot.arrays["v"] == -done).all()
        midway += told[-1].startswith("begins")
        assert [record.round for record in files.history()][:done] == list(range(1, done + 1))
    assert midway, "no kill hit a checkpoint being written"
    files.keep_rounds(done)
    assert [record.round for record in files.history()] == list(range(1, done + 1))
    assert not list(files.folder.glob(".*.part")), "what the killed processes left fills the disk"


def _killed_after(folder, seconds):
    """What the writer had told when it was killed, ``seconds`` after its first whole checkpoint."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True) as writer:
        told = []
        for line in writer.stdout:
            told.append(line)
            if line.startswith("wrote"):
                break
        time.sleep(seconds)
        writer.kill()
        return [*told, *writer.stdout]
