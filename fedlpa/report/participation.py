"""Which sites were missing from which rounds, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.run.record import RoundRecord
from fedlpa.report.run_reading import natural
from fedlpa.report.words import printable, ranges


@dataclass(frozen=True)
class Missing:
    """The same thing happening to the same site for the same reason, in ``rounds`` ("3–5, 9")."""

    rounds: str
    site: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Participation:
    """All that was missing, and how many replies were asked for and came over the whole run."""

    missing: tuple[Missing, ...]
    asked: int
    answered: int


def participation(records: Sequence[RoundRecord]) -> Participation:
    """Collect what the records say about clients that did not contribute, in order of the first round."""
    events: dict[tuple[str, str, str], list[int]] = {}
    for record in records:
        clients = record.clients
        absent = [(absence.site, "failed", absence.reason) for absence in clients.failed]
        absent += [(absence.site, "reply refused", absence.reason) for absence in clients.refused]
        absent += [(site, "sat out", "") for site in clients.sat_out]
        for site, kind, reason in absent:
            events.setdefault((printable(site), kind, printable(reason)), []).append(record.round)
    ordered = sorted(events.items(), key=lambda event: (min(event[1]), natural(event[0][0])))
    return Participation(
        tuple(Missing(ranges(rounds), site, kind, reason) for (site, kind, reason), rounds in ordered),
        sum(record.clients.asked or 0 for record in records),
        sum(record.clients.answered or 0 for record in records),
    )
