"""Sending a round's messages and taking replies as they arrive."""

import time
from collections.abc import Iterator, Sequence

from flwr.app import Message
from flwr.serverapp import Grid

PULL_INTERVAL = 0.05


def exchange(grid: Grid, messages: Sequence[Message], timeout: float) -> Iterator[Message]:
    """Push ``messages`` and yield replies in the order in which they come; ends when all are in or time is up.

    A reply is not kept here once it was yielded: memory does not grow with the number of clients.
    """
    waiting = set(grid.push_messages(messages))
    deadline = time.monotonic() + timeout
    while waiting and time.monotonic() < deadline:
        replies = list(grid.pull_messages(waiting))
        for reply in replies:
            waiting.discard(reply.metadata.reply_to_message_id)
        while replies:
            yield replies.pop()
        if waiting:
            time.sleep(PULL_INTERVAL)
