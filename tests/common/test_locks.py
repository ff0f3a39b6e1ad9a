import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.locks import LockedError, hold_lock, is_locked, lock

HOLDER = """
import sys, time
from pathlib import Path
from common.locks import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.runs
def test_a_lock_of_a_living_process_is_refused_and_of_a_killed_one_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_locked(path)
        with pytest.raises(LockedError), hold_lock(path):
            pass
        holder.kill()
    assert not is_locked(path)
    with hold_lock(path):
        pass


def test_the_file_is_as_private_as_asked(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "lock", mode=0o600):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_an_open_file_stays_locked_until_it_is_closed(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    lock(handle)
    assert is_locked(tmp_path / "lock")
    os.close(handle)
    assert not is_locked(tmp_path / "lock")
