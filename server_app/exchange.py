"""Sending messages one at a time and taking replies as they arrive; knowing who still owes one."""

import time
from collections.abc import Iterable, Iterator

from flwr.app import Message
from flwr.serverapp import Grid

PULL_INTERVAL = 0.05
MOST_BYTES = 64 * 2**20
"""How many bytes of replies are pulled at once, unless one alone is larger."""


class Exchange:
    """Messages of one run. A reply is dropped once it was handed on: memory does not grow with the clients."""

    def __init__(self, grid: Grid, reply_bytes: int = 0) -> None:
        """``reply_bytes``: about how large a reply is."""
        self.grid = grid
        self.batch = max(1, MOST_BYTES // max(1, reply_bytes))
        self._owed: dict[str, tuple[int, str]] = {}

    def busy(self) -> dict[int, str]:
        """Nodes that still work on an earlier message, by its round; late replies are thrown away here."""
        for _ in self._pull(set(self._owed)):
            pass
        return dict(self._owed.values())

    def ask(
        self, messages: Iterable[Message], timeout: float, quorum: int | None = None, grace: float | None = None
    ) -> Iterator[tuple[int, Message]]:
        """Push ``messages`` and yield replies as they come, with the node asked; ends when all are in or time is up.

        An error that Flower makes up in a node's place does not carry the node's id.

        Args:
            timeout: seconds for all replies.
            quorum: number of replies without error after which stragglers get only ``grace`` seconds more.
        """
        waiting: set[str] = set()
        for message in messages:
            for message_id in self.grid.push_messages([message]):
                if message_id:
                    waiting.add(message_id)
                    self._owed[message_id] = (message.metadata.dst_node_id, message.metadata.group_id)
        deadline = time.monotonic() + timeout
        good = 0
        while waiting and time.monotonic() < deadline:
            for node, reply in self._pull(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                good += not reply.has_error()
                yield node, reply
            if quorum is not None and grace is not None and good >= quorum:
                deadline = min(deadline, time.monotonic() + grace)
                quorum = None
            if waiting:
                time.sleep(PULL_INTERVAL)

    def _pull(self, message_ids: set[str]) -> Iterator[tuple[int, Message]]:
        ids = sorted(message_ids)
        for start in range(0, len(ids), self.batch):
            replies = list(self.grid.pull_messages(ids[start : start + self.batch]))
            while replies:
                reply = replies.pop()
                owed = self._owed.pop(reply.metadata.reply_to_message_id, None)
                if owed is not None:
                    yield owed[0], reply
