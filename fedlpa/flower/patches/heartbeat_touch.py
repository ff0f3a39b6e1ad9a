"""A SuperNode leaves a sign when its server has acknowledged a heartbeat (every 20 s or so).

Seen in Flower 1.39: a SuperNode says nowhere whether its server is heard, and its health service answers either way.
Operators and the containers' health checks have to know.

``HeartbeatSender._heartbeat`` returns without a word once the sender is being stopped, whether the server has answered
or not, so it is no sign of an answer; only True from the function that asks the server is. That function raises what
is neither an answer nor a lost connection (the server does not know this SuperNode, or refuses its signature), which
ends the thread in silence: the SuperNode would live on, and its server would take it for gone. Here it ends, and is
started again.

Delete when: a SuperNode's health service tells whether the server is heard, and a SuperNode whose heartbeats have
ended ends, too.
"""

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

from fedlpa.liveness import touch_file

ALIVE = "FEDLPA_ALIVE"
"""Environment variable: the file that says that the server has been heard."""


def touch_when_heard() -> None:
    """Touch the file that ``ALIVE`` names whenever the server has acknowledged a heartbeat of this process."""
    from flwr.supercore.heartbeat import HeartbeatSender

    named = os.environ.get(ALIVE)
    if not named:
        return
    file, make = Path(named), HeartbeatSender.__init__

    def make_with_sign(self: HeartbeatSender, heartbeat_fn: Callable[[], bool]) -> None:
        def beat() -> bool:
            try:
                heard = heartbeat_fn()
            except BaseException as error:
                logging.getLogger("flwr").error("the server refuses this SuperNode's heartbeats: %s", error)
                os.kill(os.getpid(), signal.SIGTERM)
                raise
            if heard:
                touch_file(file)
            return heard

        make(self, beat)

    HeartbeatSender.__init__ = cast("Callable[..., None]", make_with_sign)  # type: ignore[method-assign]
