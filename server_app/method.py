"""What a method at the server is: how its sites are laid out in a simulation, and what the round loop asks of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol

import numpy as np
from numpy.typing import NDArray

from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.run.metrics import DiscoveryFinal, Final, GraphFinal
from common.run.model_files import Model
from common.run.record import RoundRecord, Scores
from common.run.run_files import RunFiles
from common.settings import O, RunConfig
from common.wire.records import Metrics, Records, scalar


@dataclass(frozen=True)
class Broadcast:
    """What one site gets in a round, beside the configuration."""

    records: Records = field(default_factory=dict)
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Short lists of numbers by which the method steers its clients."""


@dataclass(frozen=True)
class Reply:
    """A validated reply; ``site`` is a key that lasts for the run and sorts the same in every run."""

    site: str
    records: Records
    metrics: Metrics

    @property
    def samples(self) -> int:
        """Samples behind the reply."""
        return int(self.scalar("samples"))

    def scalar(self, name: str) -> float:
        """A metric of the reply; 0 where it is not reported."""
        return scalar(self.metrics, name)


@dataclass(frozen=True)
class Outcome:
    """What a finished round comes to: entries of its line in ``rounds.jsonl``."""

    scores: Scores = field(default_factory=dict)
    found: int | None = None
    concepts: Mapping[str, int] = field(default_factory=dict)


class MethodServer(Protocol):
    """A method's server in one run: ``broadcast`` for every site, ``fold`` for every reply, then ``finish_round``."""

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """What one site gets."""
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

    def final_model(self) -> Model:
        """What is kept of the run for predictions."""
        ...

    def delivery_scores(self, replies: Mapping[str, Reply]) -> Final | None:
        """Scores of the sites' own final predictions, from the answers to the final model; None outside benchmarks."""
        ...

    def final_scores(self, history: Sequence[RoundRecord], delivered: Final | None) -> DiscoveryFinal | GraphFinal:
        """``final`` of ``metrics.json``: the last round's model, no selection."""
        ...


@dataclass(frozen=True)
class ServerMethod(Generic[O]):
    """A method at the server: ``METHOD`` of its room in ``server_app.methods``."""

    start: Callable[[RunConfig[O], Place], MethodServer]
    """Its server for one run."""
    lay_out: Callable[[RunConfig[O], RunFiles, bool], RunConfig[O]]
    """Lay out a simulation's sites and write ``config.json``; the configuration with what was found in the data.

    Arguments: configuration, the run's files, whether a run in the folder is replaced.

    Raises:
        InputError: the data, a setting, or the folder will not do. Nothing is written then.
    """
