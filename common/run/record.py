"""What one round came to: a line of ``rounds.jsonl``. The server's loop writes it, whatever shows a run reads it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from common.errors import InputError
from common.files import read_object

Score = float | None
"""A fraction in [0, 1]; None where nothing was scored."""
Scores = Mapping[str, Score | Mapping[str, Score]]
"""By name; a scope (``global``, ``local``, ``concepts``) or a scored model holds several of its own."""


class Part(BaseModel):
    """Base of a record and its parts: frozen, numbers finite.

    Read leniently: what is null counts as absent, and keys that a later version wrote are passed over.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)
    left_out: ClassVar[frozenset[str]] = frozenset()
    """Keys that are not written where there is nothing under them."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: object) -> object:
        if isinstance(given, Mapping):
            return {key: value for key, value in given.items() if value is not None}
        return given

    @model_serializer(mode="wrap")
    def _leave_out(self, write: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        written: dict[str, JsonValue] = write(self)
        return {key: value for key, value in written.items() if value is not None or key not in self.left_out}

    def to_json(self) -> dict[str, JsonValue]:
        """JSON values, in the order of the fields."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the file says; None where there is none.

        Raises:
            InputError: it holds something else.
        """
        if not path.is_file():
            return None
        try:
            return cls.model_validate(read_object(path))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"{path} is not as expected ({where}: {first['msg']}); restore or remove it.") from None


class Categories(Part):
    """How many categories were found, and how many there are; None where that is not known."""

    found: int | None = None
    true: int | None = None


class Absence(Part):
    """A site whose reply is missing, and why."""

    site: str
    reason: str = ""


class Outlier(Part):
    """A site whose update has a norm above ``limit``, which the round's median gives."""

    site: str
    norm: float
    limit: float


class Clients(Part):
    """Who was asked, who answered, and what became of the others."""

    asked: int | None = None
    answered: int | None = None
    sat_out: tuple[str, ...] = ()
    """Sites without samples."""
    failed: tuple[Absence, ...] = ()
    refused: tuple[Absence, ...] = ()
    outliers: tuple[Outlier, ...] = ()


class NoiseSpent(Part):
    """What one side clips to and adds, and what that comes to; ``epsilon`` is None without noise."""

    clip_norm: float
    noise_multiplier: float
    epsilon: float | None = None


class PrivacySpent(Part):
    """Clipping and noise that the server knows of, after ``rounds`` noised updates."""

    left_out = frozenset({"central", "local"})
    delta: float
    rounds: int
    covers: str
    central: NoiseSpent | None = None
    local: NoiseSpent | None = None


class Traffic(Part):
    """Bytes of arrays in a round, all clients together."""

    up: int | None = None
    down: int | None = None


class RoundSeconds(Part):
    """Wall seconds of the round; clients' and discovery's seconds are added up over sites."""

    round: float | None = None
    client_compute: float | None = None
    discovery: float | None = None
    server: float | None = None


class RoundRecord(Part):
    """One round. Whatever an older or foreign record lacks is empty; only ``round`` must be there."""

    left_out = frozenset({"privacy"})
    round: int
    rounds: int | None = None
    """How many are planned."""
    phase: str = ""
    loss: Mapping[str, float] = Field(default_factory=dict)
    """Loss terms, means over the sites by samples; ``total`` is their weighted sum."""
    scores: Scores = Field(default_factory=dict)
    categories: Categories = Categories()
    concepts: Mapping[str, int] = Field(default_factory=dict)
    """Concepts found, by site."""
    health: Mapping[str, float] = Field(default_factory=dict)
    """Signs of a sound discovery that need no truth, means over the sites by samples."""
    clients: Clients = Clients()
    privacy: PrivacySpent | None = None
    bytes: Traffic = Traffic()
    seconds: RoundSeconds = RoundSeconds()

    @property
    def planned(self) -> int:
        """How many rounds the run has; this one's number where that is not said."""
        return self.rounds or self.round

    def to_line(self) -> str:
        """The record's line of ``rounds.jsonl``."""
        return json.dumps(self.to_json(), allow_nan=False) + "\n"


Watch = Callable[[RoundRecord], None]
"""What is called with every round."""


def score_groups(scores: Scores) -> tuple[dict[str, Mapping[str, Score]], dict[str, Score]]:
    """Scores as ``(groups, singles)``; a scope that has none is a group without scores.

    >>> score_groups({"global": {"all": 0.9}, "seen_accuracy": 0.8})
    ({'global': {'all': 0.9}}, {'seen_accuracy': 0.8})
    """
    groups: dict[str, Mapping[str, Score]] = {}
    singles: dict[str, Score] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            groups[name] = value
        else:
            singles[name] = value
    return groups, singles


def read_rounds(path: Path) -> list[RoundRecord]:
    """The records in a ``rounds.jsonl``, in order; of a round that was run again after a resume, the last."""
    return [record for record, _ in read_lines(path)]


def read_lines(path: Path) -> list[tuple[RoundRecord, str]]:
    """As ``read_rounds``, each with its line as it stands there, which may hold what a later version wrote.

    What is no record is left out: a killed server leaves half a last line, whose round is run and written again.
    """
    if not path.is_file():
        return []
    found: dict[int, tuple[RoundRecord, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = RoundRecord.model_validate_json(line)
        except ValueError:
            continue
        found[record.round] = record, line
    return [found[number] for number in sorted(found)]
