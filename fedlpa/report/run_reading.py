"""What the files of a run folder say, as far as they are there."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import InputError


@dataclass(frozen=True)
class Run:
    """A run folder's JSON files; whatever a stopped or private run lacks is empty."""

    folder: Path
    config: dict[str, Any]
    rounds: tuple[dict[str, Any], ...]
    """One record a round, in order; of a round that was run again after a resume, the last."""
    metrics: dict[str, Any]
    model: dict[str, Any]
    finished: datetime

    def setting(self, name: str, default: Any = None) -> Any:
        """A value of the configuration, or of the metrics where the configuration lacks it."""
        return self.config.get(name, self.metrics.get(name, default))

    @property
    def final(self) -> dict[str, Any]:
        """The final scores; of a run that stopped early, those of the last round that was scored."""
        final: dict[str, Any] = dict(self.metrics.get("final") or {})
        if not final:
            scored = [record for record in self.rounds if any(leaves(record.get("scores")))]
            final = dict(scored[-1]["scores"]) if scored else {}
            if self.rounds:
                final["categories"] = self.rounds[-1].get("categories")
        return final

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites that the rounds mention, in natural order."""
        names = {str(name) for record in self.rounds for name in (record.get("concepts") or {})}
        return tuple(sorted(names, key=natural))


def read_run(folder: Path) -> Run:
    """Read the JSON files of a run; only ``config.json`` has to be there."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} is not a run folder: it has no config.json; give the folder named by --out.")
    metrics = folder / "metrics.json"
    last = next(file for file in (metrics, folder / "rounds.jsonl", folder / "config.json") if file.is_file())
    return Run(
        folder=folder,
        config=_read_object(folder / "config.json"),
        rounds=_read_rounds(folder / "rounds.jsonl"),
        metrics=_read_object(metrics),
        model=_read_object(folder / "model" / "model.json"),
        finished=datetime.fromtimestamp(last.stat().st_mtime, UTC),
    )


def number(value: Any) -> float | None:
    """``value`` as a float; None for anything that is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def leaves(value: Any) -> list[float]:
    """All finite numbers in nested dictionaries."""
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    found = number(value)
    return [] if found is None else [found]


def natural(name: str) -> tuple[str, int, str]:
    """Sorting key that puts ``site-2`` before ``site-10``."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return (stem, int(digits) if digits else -1, name)


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); restore or remove it.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; restore or remove it.")
    return value


def _read_rounds(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.is_file():
        return ()
    by_round: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
            by_round[int(record["round"])] = record
        except (ValueError, KeyError, TypeError):
            # A killed server leaves half a last line; the round is run and written again.
            continue
    return tuple(by_round[index] for index in sorted(by_round))
