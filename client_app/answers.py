"""The answers of one run: which rounds were asked for and answered, and the latest replies as they were sent.

Rounds are answered in their order and each once. Whoever asks for an answered one again, with the same message, gets
the same reply: noise that is drawn once cannot be averaged away. The first message of a round binds: another one for
the same round is refused.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import ConfigRecord, Message, MessageType, RecordDict

from client_app.kept import DamagedError, Kept, read_kept, write_kept
from client_app.refusal import RefusedError
from common.files import write_atomically
from common.wire.messages import RUN, client_content, read_arrays, read_metrics
from common.wire.records import flattened, nested

INDEX = "answers.json"
KEPT = 3
"""Replies to rounds that are kept: a server that lost its last checkpoint asks for the one before again."""
CONFIG = "config"


class Asked(Kept):
    """One message: its kind, its round, the hash of what it holds; the hash of the reply's file once there is one."""

    kind: str
    round: int
    question: str
    reply: str = ""


class Index(Kept):
    """Everything asked in this run, in its order."""

    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True)
class Question:
    """A message as it is counted."""

    kind: str
    round: int
    digest: str


def question_of(message: Message, number: int) -> Question:
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
    return Question(message.metadata.message_type, number, digest.hexdigest())


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

    def admit(self, question: Question, rounds: int) -> RecordDict | None:
        """Whether a message may be worked on: None, or the reply that was sent to it before.

        Raises:
            RefusedError: it is out of turn, or not the message that was answered.
        """
        before = self._find(question)
        if before is None:
            self._check_turn(question, rounds)
            self._write([*self._asked, Asked(**vars_of(question))])
            return None
        if before.question != question.digest:
            raise RefusedError(f"the server asks something else in {_named(question)} than it did before")
        return self._load(before) if before.reply else None

    def keep(self, question: Question, content: RecordDict) -> None:
        """Store the reply to an admitted message, before it leaves."""
        from safetensors.numpy import save_file

        before = self._find(question)
        assert before is not None
        arrays = {name: np.ascontiguousarray(a) for name, a in flattened(read_arrays(content)).items()}
        header = {"metrics": json.dumps(read_metrics(content))}
        path = self._path(before)
        write_atomically(path, lambda temporary: save_file(arrays, temporary, header), mode=0o600)
        done = before.model_copy(update={"reply": _hash(path)})
        self._write([done if each is before else each for each in self._asked])
        self._drop_old()

    def _find(self, question: Question) -> Asked | None:
        same = (each for each in self._asked if (each.kind, each.round) == (question.kind, question.round))
        return next(same, None)

    def _check_turn(self, question: Question, rounds: int) -> None:
        last = max((each.round for each in self._asked if each.kind == MessageType.TRAIN), default=0)
        if question.kind == MessageType.QUERY:
            if question.round != 1:
                raise RefusedError(f"the server asks for the site's size in round {question.round}")
        elif question.kind == MessageType.TRAIN:
            if not last < question.round <= rounds:
                raise RefusedError(
                    f"round {question.round} is out of turn: the last one asked for was {last} of {rounds}"
                )
            if any(each.kind not in (MessageType.TRAIN, MessageType.QUERY) for each in self._asked):
                raise RefusedError(f"round {question.round} is asked for after the final model was delivered")
        elif question.round != rounds + 1:
            raise RefusedError(f"the final model comes in round {question.round}, not after the last")

    def _path(self, asked: Asked) -> Path:
        return self.folder / f"answer-{asked.kind}-{asked.round}.safetensors"

    def _load(self, asked: Asked) -> RecordDict:
        from safetensors.numpy import load_file, safe_open

        path = self._path(asked)
        if not path.exists() or _hash(path) != asked.reply:
            raise RefusedError(f"the reply to {_named(asked)} is not kept any more, and no other will be made")
        with safe_open(path, framework="numpy") as file:
            metrics = json.loads(file.metadata()["metrics"])
        return client_content(nested(load_file(path)), metrics)

    def _drop_old(self) -> None:
        rounds = [each for each in self._asked if each.kind == MessageType.TRAIN and each.reply]
        for each in sorted(rounds, key=lambda each: each.round)[:-KEPT]:
            self._path(each).unlink(missing_ok=True)

    def _write(self, asked: list[Asked]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_kept(self.folder / INDEX, Index(asked=tuple(asked)))
        self._asked = asked


def vars_of(question: Question) -> dict[str, str | int]:
    """The fields that are written down of a question."""
    return {"kind": question.kind, "round": question.round, "question": question.digest}


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(asked: Asked | Question) -> str:
    return f"round {asked.round} ({asked.kind})"
