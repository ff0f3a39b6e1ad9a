"""Which sites were missing from which rounds, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedlpa.report.run_reading import natural, number
from fedlpa.report.words import printable, ranges


@dataclass(frozen=True)
class Absence:
    """The same thing happening to the same site for the same reason, in ``rounds`` ("3–5, 9")."""

    rounds: str
    site: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Participation:
    """All absences, and how many replies were asked for and came over the whole run."""

    absences: tuple[Absence, ...]
    asked: int
    answered: int


_KINDS = {"failed": "failed", "refused": "reply refused", "sat_out": "sat out"}


def participation(records: Sequence[dict[str, Any]]) -> Participation:
    """Collect what the records say about clients that did not contribute, in order of the first round."""
    events: dict[tuple[str, str, str], list[int]] = {}
    asked = answered = 0
    for record in records:
        clients = record.get("clients") or {}
        asked += int(number(clients.get("asked")) or 0)
        answered += int(number(clients.get("answered")) or 0)
        for key, kind in _KINDS.items():
            for entry in clients.get(key) or ():
                site, reason = (
                    (entry.get("site", ""), entry.get("reason", "")) if isinstance(entry, dict) else (entry, "")
                )
                events.setdefault((printable(site), kind, printable(reason or "")), []).append(int(record["round"]))
    ordered = sorted(events.items(), key=lambda event: (min(event[1]), natural(event[0][0])))
    return Participation(
        tuple(Absence(ranges(rounds), site, kind, reason) for (site, kind, reason), rounds in ordered),
        asked,
        answered,
    )
