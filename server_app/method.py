"""What the round loop asks of a method's server side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from common.config import RunConfig
from common.discovery.catalogue import Catalogue
from common.methods.plan import RoundPlan

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Reply:
    """A validated reply; ``site`` is a key that lasts for the run and sorts the same in every run."""

    site: str
    records: Mapping[str, Arrays]
    metrics: Mapping[str, Any]

    @property
    def samples(self) -> int:
        """Samples behind the reply."""
        return int(self.metrics["samples"])


@dataclass(frozen=True)
class Outcome:
    """What a finished round comes to: entries of its line in ``rounds.jsonl``."""

    scores: dict[str, Any]
    found: int | None = None
    concepts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A method's whole state at the server: named arrays and JSON values."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays whose names start with ``prefix``, without it."""
        return {name.removeprefix(prefix): value for name, value in self.arrays.items() if name.startswith(prefix)}


class ServerMethod(Protocol):
    """One per run. The loop calls ``broadcast`` for every site, ``fold`` for every reply, then ``finish_round``."""

    def __init__(self, config: RunConfig) -> None: ...

    def broadcast(self, plan: RoundPlan, site: str) -> tuple[dict[str, Arrays], tuple[float, ...] | None]:
        """Array records for one site, and the federation's calibration curve if there is one."""
        ...

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Take in one reply. Replies come in any order."""
        ...

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """Close the round on the replies folded in."""
        ...

    def snapshot(self) -> Snapshot:
        """Everything needed to go on from here."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """The inverse of ``snapshot``."""
        ...

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The global model's tensors."""
        ...

    def catalogue(self) -> Catalogue | None:
        """The federation's categories, if the method has them."""
        ...
