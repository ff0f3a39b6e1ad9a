"""What the files of a run folder say, as far as they are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.files import read_object
from common.methods.registry import all_methods
from common.run.metrics import RunMetrics, RunSeconds, Wire
from common.run.record import Categories, Part, RoundRecord, Scores, Traffic, read_rounds, score_groups


class KnownCategory(Part):
    """A category that the model has a place for."""

    name: str = "–"
    is_novel: bool = False
    samples: int | None = None


class ModelSummary(Part):
    """What the report takes from ``model.json``."""

    seen_classes: tuple[str, ...] = ()
    categories: tuple[KnownCategory, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run folder's JSON files; whatever a stopped or private run lacks is empty."""

    folder: Path
    config: Mapping[str, Any]
    rounds: tuple[RoundRecord, ...]
    metrics: RunMetrics | None
    model: ModelSummary
    finished: datetime

    @property
    def is_graph(self) -> bool:
        """Whether nodes of graphs were classified, rather than categories discovered."""
        spec = all_methods().get(self.setting("method", ""))
        return "unseen_node" in self.scores or (spec is not None and not spec.embeds_samples)

    def setting(self, name: str, default: str | None = None) -> Any:
        """A value of the configuration, or of the metrics where the configuration lacks it."""
        return self.config.get(name, getattr(self.metrics, name, default))

    @property
    def scores(self) -> Scores:
        """The final scores; of a run that stopped early, those of the last round that was scored."""
        if self.metrics is not None:
            return self.metrics.scores
        return next((record.scores for record in reversed(self.rounds) if is_scored(record.scores)), {})

    @property
    def categories(self) -> Categories:
        """How many categories there are in the end."""
        if self.metrics is not None:
            return self.metrics.final.categories
        return self.rounds[-1].categories if self.rounds else Categories()

    @property
    def wire(self) -> Wire:
        """What one client sent and got in one round."""
        return self.metrics.wire if self.metrics else Wire()

    @property
    def traffic(self) -> Traffic:
        """Bytes of all rounds together; None where none says."""
        ups = [up for record in self.rounds if (up := record.bytes.up) is not None]
        downs = [down for record in self.rounds if (down := record.bytes.down) is not None]
        return Traffic(up=sum(ups) if ups else None, down=sum(downs) if downs else None)

    @property
    def seconds(self) -> RunSeconds:
        """How long the run took; of one that stopped early, the sum of its rounds."""
        if self.metrics is not None and self.metrics.seconds.total is not None:
            return self.metrics.seconds
        total = sum(record.seconds.round or 0.0 for record in self.rounds)
        return (self.metrics.seconds if self.metrics else RunSeconds()).model_copy(update={"total": total or None})


def read_run(folder: Path) -> Run:
    """Read the JSON files of a run; only ``config.json`` has to be there.

    Raises:
        InputError: it is not, or a file holds something else.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} is not a run folder: it has no config.json; give the folder named by --out.")
    names = ("metrics.json", "rounds.jsonl", "config.json")
    last = next(file for name in names if (file := folder / name).is_file())
    return Run(
        folder=folder,
        config=read_object(folder / "config.json"),
        rounds=tuple(read_rounds(folder / "rounds.jsonl")),
        metrics=RunMetrics.read(folder / "metrics.json"),
        model=ModelSummary.read(folder / "model" / "model.json") or ModelSummary(),
        finished=datetime.fromtimestamp(last.stat().st_mtime, UTC),
    )


def is_scored(scores: Scores) -> bool:
    """Whether there is any score in them."""
    groups, singles = score_groups(scores)
    return any(score is not None for part in (singles, *groups.values()) for score in part.values())


def natural(name: str) -> tuple[str, int, str]:
    """Sorting key that puts ``site-2`` before ``site-10``."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return (stem, int(digits) if digits else -1, name)
