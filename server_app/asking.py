"""Sending messages one at a time and taking replies as they arrive; knowing who still owes one."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flwr.app import Message
from flwr.serverapp import Grid

PULL_INTERVAL = 0.05
MOST_BYTES = 64 * 2**20
"""How many bytes of replies are pulled at once, unless one alone is larger."""


LARGE_BYTES = 8 * 2**20
"""Replies of this size are cleared out of memory one by one."""
LOOK_EVERY = 3.0
"""Seconds between two looks at which nodes have started anew."""


@dataclass(frozen=True)
class Owed:
    """A message without a reply: to whom, of which round, pushed when (seconds since the epoch)."""

    node: int
    round: str
    pushed: float


class Exchange:
    """Messages of one run. A reply is dropped once it was handed on: memory does not grow with the clients."""

    def __init__(
        self, grid: Grid, reply_bytes: int = 0, activations: Callable[[], dict[int, float]] | None = None
    ) -> None:
        """``reply_bytes``: about how large a reply is; ``activations``: when each node last came online."""
        self.grid = grid
        self.batch = max(1, MOST_BYTES // max(1, reply_bytes))
        self.large = reply_bytes > LARGE_BYTES
        self.activations = activations
        self._owed: dict[str, Owed] = {}

    def busy(self) -> dict[int, str]:
        """Nodes that still work on an earlier message, by its round; late replies are thrown away here."""
        for _ in self._pull(set(self._owed)):
            pass
        for message_id in self._lost(set(self._owed)):
            del self._owed[message_id]
        return {owed.node: owed.round for owed in self._owed.values()}

    def ask(
        self,
        messages: Iterable[Message],
        timeout: float,
        enough: Callable[[], bool] | None = None,
        grace: float | None = None,
    ) -> Iterator[tuple[int, Message | None]]:
        """Push ``messages`` and yield replies as they come, with the node asked; ends when all are in or time is up.

        An error that Flower makes up in a node's place does not carry the node's id. None stands for the reply of
        a node that was started anew after it had taken the message: the message is lost then.

        Args:
            timeout: seconds for all replies.
            enough: says whether the replies handed on so far will do; stragglers get only ``grace`` seconds more then.
        """
        waiting: set[str] = set()
        for message in messages:
            for message_id in self.grid.push_messages([message]):
                if message_id:
                    waiting.add(message_id)
                    metadata = message.metadata
                    self._owed[message_id] = Owed(metadata.dst_node_id, metadata.group_id, time.time())
        deadline = time.monotonic() + timeout
        looked = time.monotonic()
        while waiting and time.monotonic() < deadline:
            for owed, reply in self._pull(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                yield owed.node, reply
                del reply
            if enough is not None and grace is not None and enough():
                deadline = min(deadline, time.monotonic() + grace)
                enough = None
            if waiting and time.monotonic() - looked > LOOK_EVERY:
                looked = time.monotonic()
                for message_id in self._lost(waiting):
                    waiting.discard(message_id)
                    yield self._owed.pop(message_id).node, None
            if waiting:
                time.sleep(PULL_INTERVAL)

    def _lost(self, message_ids: set[str]) -> list[str]:
        if self.activations is None or not message_ids:
            return []
        started = self.activations()
        return [
            message_id
            for message_id in message_ids
            if started.get(self._owed[message_id].node, 0.0) > self._owed[message_id].pushed
        ]

    def _pull(self, message_ids: set[str]) -> Iterator[tuple[Owed, Message]]:
        ids = sorted(message_ids)
        for start in range(0, len(ids), self.batch):
            replies = list(self.grid.pull_messages(ids[start : start + self.batch]))
            while replies:
                owed = self._owed.pop(replies[-1].metadata.reply_to_message_id, None)
                if owed is None:
                    replies.pop()
                    continue
                yield owed, replies.pop()
                if self.large:
                    gc.collect()  # Flower's records refer to themselves: they would pile up until Python looks
