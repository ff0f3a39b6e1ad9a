"""The part of Flower's grid that the server uses, in this process: what is sent is answered by a function."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple

from flwr.app import Context, Message, RecordDict

Reply = Message | Callable[[], Message]
"""A reply, or what makes it when it is fetched: a grid with large replies then holds none."""


class FakeGrid:
    """Nodes by id. ``answer`` is called with every message that is sent.

    It gives the reply, or the reply and the seconds until it can be fetched, or None for no reply at all.
    """

    def __init__(
        self, answer: Callable[[Message], Reply | tuple[Reply, float] | None], nodes: Iterable[int] = ()
    ) -> None:
        self.answer, self.nodes = answer, list(nodes)
        self._keys = count()
        self._due: dict[str, tuple[float, Reply]] = {}

    def get_node_ids(self) -> list[int]:
        return list(self.nodes)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        return [self._push(message) for message in messages]

    def _push(self, message: Message) -> str:
        key = str(next(self._keys))
        message.metadata.__dict__["_message_id"] = key
        found = self.answer(message)
        if found is not None:
            reply, seconds = found if isinstance(found, tuple) else (found, 0.0)
            self._due[key] = (time.monotonic() + seconds, reply)
        return key

    def pull_messages(self, keys: Iterable[str]) -> list[Message]:
        now = time.monotonic()
        due = [key for key in sorted(keys, key=int) if key in self._due and self._due[key][0] <= now]
        return [reply() if callable(reply) else reply for reply in (self._due.pop(key)[1] for key in due)]


class Sent(NamedTuple):
    """A message to a site of a simulation in a round, and the site's reply."""

    site: int
    round: int
    message: Message
    reply: Message | None


Twist = Callable[[int, str, int, Message, Message], Message | None]
"""What becomes of a reply, by site, type of the message, round, reply and message."""


class SimulatedSites(FakeGrid):
    """The sites of a simulation: the real ClientApp answers at once.

    ``twist`` may replace a reply, or lose it; ``backwards``: replies are fetched in the other order.
    """

    def __init__(self, sites: int = 3, twist: Twist | None = None, *, backwards: bool = False) -> None:
        self.contexts = {1000 - site: _context(1000 - site, site) for site in range(sites)}
        super().__init__(self._ask, self.contexts)
        self.twist, self.backwards = twist, backwards
        self.sent: list[Sent] = []

    def site(self, message: Message) -> int:
        """Which site a message is for."""
        return int(self.contexts[message.metadata.dst_node_id].node_config["partition-id"])

    def trained(self) -> Iterator[Sent]:
        """Messages that asked for a round's work."""
        return (entry for entry in self.sent if entry.message.metadata.message_type == "train")

    def _ask(self, message: Message) -> Message | None:
        from client_app.app import app
        from common.wire.messages import read_instruction

        site, number = self.site(message), read_instruction(message).round
        made = app(message, self.contexts[message.metadata.dst_node_id])
        kind = message.metadata.message_type
        reply = made if self.twist is None else self.twist(site, kind, number, made, message)
        self.sent.append(Sent(site, number, message, reply))
        return reply

    def pull_messages(self, keys: Iterable[str]) -> list[Message]:
        found = super().pull_messages(keys)
        return found[::-1] if self.backwards else found


def _context(node: int, site: int) -> Context:
    return Context(run_id=1, node_id=node, node_config={"partition-id": site}, state=RecordDict({}), run_config={})
