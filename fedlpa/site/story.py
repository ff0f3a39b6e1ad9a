"""What ``fedlpa site start`` tells its operator of the run: who asks, what left, what did not and why, how it ended."""

from dataclasses import dataclass

from client_app.site_config import SiteConfig
from common.run.predictions import FILE as PREDICTIONS
from common.wire.messages import DELIVER
from fedlpa.site.replies import AuditedReply
from fedlpa.site.room import size

HOW_TO_APPROVE = "read what it asks for, then run 'fedlpa site approve --config {}'"
NOT_APPROVED = "not-approved"
SAID_AT = (10, 100, 1000, 10_000, 100_000)
"""How often the same refusal comes before it is said again: a server must not fill the log with it."""
MODEL = "model"
"""Folder of the final model in the state folder."""


@dataclass
class _Account:
    """What this command has seen of one run."""

    rounds: int = 0
    bytes: int = 0


class Story:
    """Turns replies into lines."""

    def __init__(self, config: SiteConfig) -> None:
        self.config = config
        self._run = ""
        self._approved = True
        self._seen = _Account()
        self._refusal: tuple[str, ...] = ()
        self._times = 0

    def lines(self, reply: AuditedReply) -> list[str]:
        """What to say of one more reply, each on a line of its own."""
        return [*self._opening(reply), *(self._left(reply) if reply.left else self._stayed(reply))]

    def _opening(self, reply: AuditedReply) -> list[str]:
        approved = reply.outcome != NOT_APPROVED
        if reply.run == self._run and approved == self._approved:
            return []
        new = reply.run != self._run
        self._run, self._approved = reply.run, approved
        if not new:
            return [f"run {reply.run} is approved now"] if approved else []
        self._seen, self._refusal = _Account(), ()
        asks = f"{self.config.server} asks for run {reply.run or '(unnamed)'}: {reply.method or 'method unknown'}"
        asks += f", {reply.rounds} rounds" if reply.rounds else ""
        return [f"{asks}; " + ("approved" if approved else f"not approved: {self._how()}")]

    def _how(self) -> str:
        return HOW_TO_APPROVE.format(self.config.source)

    def _left(self, reply: AuditedReply) -> list[str]:
        self._refusal = ()
        self._seen.bytes += reply.bytes
        parts = [*reply.records]
        if reply.scalars:
            parts.append(f"{reply.scalars} scalar{'' if reply.scalars == 1 else 's'}")
        what = ", ".join(parts) or "nothing but a sign of life"
        if reply.outcome == "repeated":
            return [f"{_asked(reply)}: asked again, the same reply left again: {what}, {size(reply.bytes)}"]
        took = f"{reply.seconds:.1f} s"
        if reply.kind == DELIVER:
            return [f"{_asked(reply)}: {what} left in {took}", self._ending(reply)]
        if reply.kind.startswith("train"):
            self._seen.rounds += 1
        return [f"{_asked(reply)}: {what}, {size(reply.bytes)} left in {took}"]

    def _stayed(self, reply: AuditedReply) -> list[str]:
        refusal = (reply.run, reply.kind, reply.outcome, reply.reason)
        if refusal == self._refusal:
            self._times += 1
            if self._times not in SAID_AT:
                return []
            return [f"{_asked(reply)}: {_outcome(reply)} for the same reason, {self._times} times by now"]
        self._refusal, self._times = refusal, 1
        told = f"{_asked(reply)}: {_outcome(reply)}, nothing left: {reply.reason or 'site.log says why'}"
        if reply.outcome == NOT_APPROVED:
            return [f"{told}; {self._how()}" if "fedlpa site approve" not in told else told]
        if reply.kind == DELIVER:
            return [told, f"run {reply.run} has ended without its final model here"]
        return [told]

    def _ending(self, reply: AuditedReply) -> str:
        """The run's end, and where its results lie."""
        places = [self.config.state / name for name in (PREDICTIONS, MODEL)]
        there = [str(place) for place in places if place.exists()]
        found = f"results: {', '.join(there)}" if there else f"it left no results in {self.config.state}"
        told = f"{self._seen.rounds} rounds and {size(self._seen.bytes)} left since 'fedlpa site start'"
        return f"run {reply.run} has ended; {told}; {found}"


def _asked(reply: AuditedReply) -> str:
    if reply.kind == DELIVER:
        return "final model"
    if reply.kind.startswith("train"):
        return f"round {reply.round} of {reply.rounds}" if reply.rounds else f"round {reply.round}"
    return "first question" if reply.kind.startswith("query") else reply.kind or "message"


def _outcome(reply: AuditedReply) -> str:
    return {"held-back": "held back", NOT_APPROVED: "not approved"}.get(reply.outcome, reply.outcome)
