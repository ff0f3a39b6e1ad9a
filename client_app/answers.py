"""The answers of one run: which rounds were asked for and answered, and the latest replies as they were sent.

Rounds are answered in their order and each once. Whoever asks for an answered one again, with the same message, gets
the same reply: noise that is drawn once cannot be averaged away. The first message of a round binds: another one for
the same round is refused.
"""

import hashlib
import json
from pathlib import Path

from flwr.app import ConfigRecord, Message, MessageType, RecordDict

from client_app import kept_arrays
from client_app.kept import DamagedError, Kept, read_kept, write_kept
from client_app.refusal import RefusedError
from common.wire.messages import RUN, client_content, read_arrays, read_metrics
from common.wire.records import flattened, nested

INDEX = "answers.json"
KEPT = 3
"""Replies to rounds that are kept: a server that lost its last checkpoint asks for the one before again."""


class Asked(Kept):
    """One message: its kind, its round, the hash of what it holds; and whether a reply to it is kept, or was."""

    kind: str
    round: int
    question: str
    answered: bool = False

    def __str__(self) -> str:
        return f"round {self.round} ({self.kind})"


class Index(Kept):
    """Everything asked in this run, in its order."""

    asked: tuple[Asked, ...] = ()


def asked_by(message: Message, number: int) -> Asked:
    """What ``message`` asks in round ``number``; configuration apart, which is the approved one anyway."""
    digest = hashlib.sha256()
    run = message.content[RUN]
    assert isinstance(run, ConfigRecord)
    values = {key: value for key, value in run.items() if isinstance(value, list)}
    digest.update(json.dumps(values, sort_keys=True).encode())
    for record, arrays in sorted(message.content.array_records.items()):
        for name, array in sorted(arrays.items()):
            digest.update(f"{record}\0{name}\0{array.dtype}\0{tuple(array.shape)}\0{len(array.data)}\0".encode())
            digest.update(array.data)
    return Asked(kind=message.metadata.message_type, round=number, question=digest.hexdigest())


class Answers:
    """Kept in the run's folder. Open, ``admit``, then ``keep`` before anything leaves."""

    def __init__(self, folder: Path) -> None:
        """Read what was answered so far.

        Raises:
            RefusedError: it was written, and is damaged.
        """
        self.folder = folder
        try:
            self._asked = list((read_kept(folder / INDEX, Index) or Index()).asked)
        except DamagedError as error:
            raise RefusedError(
                f"{error}, so nobody knows which rounds of this run were answered; this site takes part again in the "
                "next run"
            ) from None

    def admit(self, asked: Asked, rounds: int) -> RecordDict | None:
        """Whether a message may be worked on: None, or the reply that was sent to it before.

        Raises:
            RefusedError: it is out of turn, or not the message that was answered.
        """
        before = self._find(asked)
        if before is None:
            self._check_turn(asked, rounds)
            self._write([*self._asked, asked])
            return None
        if before.question != asked.question:
            raise RefusedError(f"the server asks something else in {asked} than it did before")
        return self._load(before) if before.answered else None

    def keep(self, asked: Asked, content: RecordDict) -> None:
        """Store the reply to an admitted message, before it leaves."""
        before = self._find(asked)
        assert before is not None
        arrays, metrics = flattened(read_arrays(content)), dict(read_metrics(content))
        kept_arrays.write_arrays(self._path(before), arrays, {"metrics": metrics})
        done = before.model_copy(update={"answered": True})
        self._write([done if each is before else each for each in self._asked])
        self._drop_old()

    def _find(self, asked: Asked) -> Asked | None:
        same = (each for each in self._asked if (each.kind, each.round) == (asked.kind, asked.round))
        return next(same, None)

    def _check_turn(self, asked: Asked, rounds: int) -> None:
        last = max((each.round for each in self._asked if each.kind == MessageType.TRAIN), default=0)
        if asked.kind == MessageType.QUERY:
            if asked.round != 1:
                raise RefusedError(f"the server asks for the site's size in round {asked.round}")
        elif asked.kind == MessageType.TRAIN:
            if not last < asked.round <= rounds:
                raise RefusedError(f"round {asked.round} is out of turn: the last one asked for was {last} of {rounds}")
            if any(each.kind not in (MessageType.TRAIN, MessageType.QUERY) for each in self._asked):
                raise RefusedError(f"round {asked.round} is asked for after the final model was delivered")
        elif asked.round != rounds + 1:
            raise RefusedError(f"the final model comes in round {asked.round}, not after the last")

    def _path(self, asked: Asked) -> Path:
        return self.folder / f"answer-{asked.kind}-{asked.round}.safetensors"

    def _load(self, asked: Asked) -> RecordDict:
        try:
            arrays, values = kept_arrays.read_arrays(self._path(asked))
        except DamagedError:
            raise RefusedError(f"the reply to {asked} is not kept any more, and no other will be made") from None
        return client_content(nested(arrays), values["metrics"])

    def _drop_old(self) -> None:
        rounds = [each for each in self._asked if each.kind == MessageType.TRAIN and each.answered]
        for each in sorted(rounds, key=lambda each: each.round)[:-KEPT]:
            self._path(each).unlink(missing_ok=True)

    def _write(self, asked: list[Asked]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_kept(self.folder / INDEX, Index(asked=tuple(asked)))
        self._asked = asked
