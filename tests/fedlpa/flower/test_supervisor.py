import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedlpa.flower.supervisor import Backoff, Child, Supervisor

MORTAL = """
import sys, time
time.sleep(float(sys.argv[2]))
print("ValueError: no more", flush=True)
sys.exit(3)
"""


@pytest.fixture
def supervisor() -> Iterator[tuple[Supervisor, list[str]]]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    told: list[str] = []
    yield Supervisor(told.append), told
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    (tmp_path / "mortal.py").write_text(textwrap.dedent(MORTAL))
    path = os.pathsep.join([str(tmp_path), *sys.path])
    made = Child("mortal", tmp_path / "log", {"PYTHONPATH": path})
    yield made
    made.stop()


def test_pauses_double_up_to_the_most_and_start_anew_after_a_calm() -> None:
    backoff = Backoff(most=5.0, calm=0.2)
    assert [backoff.next() for _ in range(5)] == [1, 2, 4, 5, 5]
    time.sleep(0.3)
    assert backoff.next() == 1


def test_a_child_says_how_it_ended(child: Child) -> None:
    assert not child.started
    child.start(["0"])
    end = time.monotonic() + 20
    while child.runs and time.monotonic() < end:
        time.sleep(0.05)
    assert (child.started, child.status, child.last_words()) == (True, 3, "ValueError: no more")
    child.start(["60"])
    assert child.runs
    assert child.status is None
    child.stop()
    assert not child.started
    assert child.status is None


def test_a_signal_ends_the_loop_and_cuts_its_pause_short(supervisor: tuple[Supervisor, list[str]]) -> None:
    made, told = supervisor
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    looks = 0

    def look() -> float:
        nonlocal looks
        looks += 1
        if looks == 3:
            made.wait(Backoff(), "it ended; starting it again")
            return 60.0
        return 0.0

    started = time.monotonic()
    made.run(look)
    assert time.monotonic() - started < 10
    assert looks == 3
    assert made.stopping
    assert told == ["it ended; starting it again in 1 s"]
