"""Against Flower's own sender of heartbeats."""

import time
from pathlib import Path

import pytest
from flwr.supercore.heartbeat import HeartbeatSender

from fedlpa.flower.patches.heartbeat_touch import ALIVE, touch_when_heard


def test_a_heartbeat_counts_when_the_server_has_acknowledged_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeartbeatSender, "_heartbeat", HeartbeatSender._heartbeat)  # put back afterwards
    monkeypatch.setenv(ALIVE, str(tmp_path / "alive"))
    touch_when_heard()
    seen: list[bool] = []

    def beat() -> bool:
        """Refused at first; Flower's sender tries again after about a second."""
        seen.append((tmp_path / "alive").exists())
        return len(seen) > 1

    sender = HeartbeatSender(beat)
    sender.start()
    end = time.monotonic() + 30
    while not (tmp_path / "alive").exists() and time.monotonic() < end:
        time.sleep(0.05)
    sender.stop()
    assert seen == [False, False]
    assert (tmp_path / "alive").exists()
