"""A SuperNode leaves a sign when its server has acknowledged a heartbeat (every 20 s or so).

Seen in Flower 1.39: a SuperNode says nowhere whether its server is heard, and its health service answers either way.
Operators and the containers' health checks have to know.

Delete when: a SuperNode's health service tells whether the server is heard.
"""

import os
from pathlib import Path
from typing import Any, cast

ALIVE = "FEDLPA_ALIVE"
"""Environment variable: the file that says that the server has been heard."""


def touch_when_heard() -> None:
    """Touch the file that ``ALIVE`` names whenever the server has acknowledged a heartbeat of this process."""
    from flwr.supercore.heartbeat import HeartbeatSender

    file = os.environ.get(ALIVE)
    if not file:
        return
    beat = HeartbeatSender._heartbeat

    def beat_and_touch(self: HeartbeatSender) -> None:
        beat(self)  # raises what makes it try again
        Path(file).touch()

    HeartbeatSender._heartbeat = cast(Any, beat_and_touch)  # type: ignore[method-assign]
