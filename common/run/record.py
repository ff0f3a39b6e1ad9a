"""What one round came to: a line of ``rounds.jsonl``. The server's loop writes it, whatever shows a run reads it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Score = float | None
"""A fraction in [0, 1]; None where nothing was scored."""
Scores = Mapping[str, Score | Mapping[str, Score]]
"""By name; a scope (``global``, ``local``, ``concepts``) or a scored model holds several of its own."""


class Part(BaseModel):
    """Base of a record and its parts: frozen; keys that a later version wrote are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)


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
    epsilon: float | None


class PrivacySpent(Part):
    """Clipping and noise that the server knows of, after ``rounds`` noised updates."""

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
    """One round. Whatever an interrupted, older or foreign record lacks is empty; only ``round`` must be there."""

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

    @property
    def scopes(self) -> dict[str, Mapping[str, Score]]:
        """The scores that come in groups."""
        return score_groups(self.scores)[0]

    @property
    def single_scores(self) -> dict[str, Score]:
        """The scores that stand alone."""
        return score_groups(self.scores)[1]

    def to_json(self) -> dict[str, Any]:
        """JSON values, in the order of the fields; ``privacy`` only where there is any."""
        return self.model_dump(mode="json", exclude=_empty_privacy(self.privacy))


def score_groups(scores: Scores) -> tuple[dict[str, Mapping[str, Score]], dict[str, Score]]:
    """Scores as ``(groups, singles)``.

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


def _empty_privacy(privacy: PrivacySpent | None) -> Any:
    """What is left out of the JSON: the whole entry, or the side that neither clips nor adds noise."""
    if privacy is None:
        return {"privacy"}
    return {"privacy": {side for side in ("central", "local") if getattr(privacy, side) is None}}
