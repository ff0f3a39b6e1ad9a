"""Against Flower's own sender of heartbeats."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flwr.supercore.heartbeat import HeartbeatSender

from fedlpa.flower.patches.heartbeat_touch import ALIVE, touch_when_heard


@pytest.fixture
def alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(HeartbeatSender, "__init__", HeartbeatSender.__init__)  # put back afterwards
    monkeypatch.setenv(ALIVE, str(tmp_path / "alive"))
    touch_when_heard()
    return tmp_path / "alive"


@pytest.fixture
def ended() -> Iterator[threading.Event]:
    """Set when this process is asked to end."""
    asked = threading.Event()
    kept = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    yield asked
    signal.signal(signal.SIGTERM, kept)


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what() and time.monotonic() < end:
        time.sleep(0.05)
    assert what()


def test_a_heartbeat_counts_when_the_server_has_acknowledged_it(alive: Path) -> None:
    seen: list[bool] = []

    def beat() -> bool:
        """Refused at first; Flower's sender tries again after about a second."""
        seen.append(alive.exists())
        return len(seen) > 1

    sender = HeartbeatSender(beat)
    sender.start()
    wait_for(alive.exists)
    sender.stop()
    assert seen == [False, False]
    assert alive.stat().st_mode & 0o077 == 0


def test_a_sender_that_is_stopped_before_any_answer_leaves_no_sign(alive: Path) -> None:
    """Flower's sender makes one more round without asking when it is stopped: TLS failed, and the sign was left."""
    asked = threading.Event()

    def beat() -> bool:
        asked.set()
        return False

    sender = HeartbeatSender(beat)
    sender.start()
    assert asked.wait(30)
    time.sleep(0.1)
    sender.stop()
    assert not alive.exists()


def test_a_supernode_whose_heartbeats_are_refused_ends_and_leaves_no_sign(alive: Path, ended: threading.Event) -> None:
    class RefusedError(BaseException):
        """As Flower's own for runs that are over: no Exception."""

    def beat() -> bool:
        raise RefusedError

    kept, threading.excepthook = threading.excepthook, lambda arguments: None
    try:
        sender = HeartbeatSender(beat)
        sender.start()
        wait_for(ended.is_set)
    finally:
        threading.excepthook = kept
    assert not alive.exists()


def test_a_disk_that_does_not_take_the_sign_costs_no_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeartbeatSender, "__init__", HeartbeatSender.__init__)
    monkeypatch.setenv(ALIVE, str(tmp_path / "no-such-folder" / "alive"))
    touch_when_heard()
    beaten = threading.Event()

    def beat() -> bool:
        beaten.set()
        return True

    sender = HeartbeatSender(beat)
    sender.start()
    assert beaten.wait(30)
    time.sleep(0.1)
    assert sender.is_running
    sender.stop()
