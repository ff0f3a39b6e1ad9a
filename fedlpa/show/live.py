"""What a run shows in the terminal while it goes on."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO

from common.run.record import Absence, RoundRecord, Score, score_groups
from fedlpa.report.words import NONE, count, duration, printable, score_name, size

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

SHOWN_ROUNDS = 12
SHOWN_NOTES = 6


class LiveView:
    """A view of the rounds of a run that keeps itself up to date; a context manager.

    It needs nothing but the records of ``rounds.jsonl``, so that it shows a run in this process as well as
    one whose file is followed. On a terminal it is a progress bar, a table of the last rounds, and what
    went wrong beneath it; elsewhere one plain line a round::

        with LiveView() as view:
            for record in records:
                view.on_round(record)
    """

    def __init__(self, stream: TextIO | None = None, console: "Console | None" = None) -> None:
        self._stream = stream or sys.stdout
        self._given_console = console
        self._live: Live | None = None
        self._records: list[RoundRecord] = []
        self._notes: list[str] = []
        self._last_arrival = time.monotonic()

    def __enter__(self) -> "LiveView":
        from rich.console import Console
        from rich.live import Live

        console = self._given_console or Console(file=self._stream)
        self._last_arrival = time.monotonic()
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(get_renderable=lambda: self._render(console.width), console=console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def on_round(self, record: RoundRecord) -> None:
        """Show a finished round; one that is run again after a resume replaces the earlier ones."""
        self._records = [earlier for earlier in self._records if earlier.round < record.round] + [record]
        self._last_arrival = time.monotonic()
        notes = absences(record)
        self._notes += notes
        self._tell(plain_line(record), *(f"  {note}" for note in notes))

    def on_message(self, text: str) -> None:
        """Show a sentence about the run that belongs to no round."""
        self._notes.append(printable(text))
        self._tell(printable(text))

    def _tell(self, *lines: str) -> None:
        """Print what is new; a terminal draws everything again."""
        if self._live is not None:
            self._live.refresh()
            return
        for line in lines:
            print(line, file=self._stream, flush=True)

    def _render(self, width: int) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [self._bar(width)]
        if self._records:
            parts += [Text(""), table(self._records[-SHOWN_ROUNDS:], width)]
        if self._notes:
            earlier = len(self._notes) - SHOWN_NOTES
            notes = [f"… and {earlier} earlier"] if earlier > 0 else []
            notes += self._notes[-SHOWN_NOTES:]
            parts += [Text(""), *(Text(note, style="yellow") for note in notes)]
        return Group(*parts)

    def _bar(self, width: int) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        if not self._records:
            waited = duration(float(int(time.monotonic() - self._last_arrival)))
            return Text(f"Waiting for the first round · {waited}", style="bold")
        last = self._records[-1]
        heading = Text.assemble(
            (f"Round {last.round} of {last.planned}", "bold"),
            f" · {printable(last.phase)}" if last.phase else "",
            f" · {duration(self._elapsed())} so far",
            f" · about {duration(left)} left" if (left := self._left()) is not None else "",
        )
        return Group(heading, ProgressBar(total=last.planned, completed=last.round, width=min(width, 100)))

    def _waiting(self) -> float:
        """Seconds since the last round, unless the run is over."""
        last = self._records[-1]
        return 0.0 if last.round >= last.planned else time.monotonic() - self._last_arrival

    def _elapsed(self) -> float:
        return sum(record.seconds.round or 0.0 for record in self._records) + self._waiting()

    def _left(self) -> float | None:
        """Seconds until the last round at the pace of the last five; None if unknown or over."""
        last = self._records[-1]
        recent = [record.seconds.round or 0.0 for record in self._records[-5:]]
        rounds = last.planned - last.round
        if rounds <= 0 or not any(recent):
            return None
        return max(rounds * sum(recent) / len(recent) - self._waiting(), 0.0)


def plain_line(record: RoundRecord) -> str:
    """One round in one line of plain text, without control characters.

    >>> plain_line(RoundRecord(round=1, rounds=27, phase="warm-up", loss={"total": 1.25}))
    'round 1/27 warm-up: loss 1.25'
    """
    groups, singles = score_groups(record.scores)
    found, true = record.categories.found, record.categories.true
    up, down = _bytes_per_client(record)
    parts = []
    if "total" in record.loss:
        parts.append(f"loss {record.loss['total']:.3g}")
    parts += [f"{printable(scope)} {named}" for scope, scores in groups.items() if (named := _named(scores))]
    if named := _named(singles):
        parts.append(named)
    if (concepts := _concepts(record)) != NONE:
        parts.append(f"{concepts} concepts a site")
    if found is not None:
        parts.append(f"{found} categories" + ("" if true is None else f" (true {true})"))
    if up is not None or down is not None:
        parts.append(f"{size(up)} up, {size(down)} down a client".replace("\u00a0", " "))
    if (answered := _answered(record)) != NONE:
        parts.append(f"{answered} answered")
    head = f"round {record.round}/{record.planned} {printable(record.phase)}".rstrip()
    return f"{head}: {'; '.join(parts)}" if parts else head


def absences(record: RoundRecord) -> list[str]:
    """A sentence for each client that failed, was refused, or sat the round out."""
    absent = [(absence, "failed") for absence in record.clients.failed]
    absent += [(absence, "was refused") for absence in record.clients.refused]
    absent += [(Absence(site=site), "sat out") for site in record.clients.sat_out]
    return [
        f"round {record.round}: {printable(absence.site)} {what}"
        + (f": {printable(absence.reason)}" if absence.reason else "")
        for absence, what in absent
    ]


def table(records: list[RoundRecord], width: int) -> "Table":
    """The rounds as a rich table; columns that hold nothing, or that ``width`` has no room for, are left out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    columns = _columns(records)
    # The last ones of this list go first where the terminal is narrow.
    by_importance = sorted(columns, key=lambda column: column.importance)
    while len(by_importance) > 2 and sum(column.width + 2 for column in by_importance) > width:
        by_importance.pop()
    built = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    kept = [column for column in columns if column in by_importance]
    for column in kept:
        built.add_column(Text(column.title), justify=column.justify, no_wrap=True)
    for row in zip(*(column.cells for column in kept), strict=True):
        built.add_row(*(Text(cell) for cell in row))
    return built


@dataclass(frozen=True)
class _Column:
    title: str
    cells: list[str]
    importance: int
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        return max(len(self.title), *(len(cell) for cell in self.cells))


def _columns(records: list[RoundRecord]) -> list[_Column]:
    """The columns from left to right; a small ``importance`` number stays longest."""
    built = [
        _Column("Round", [str(record.round) for record in records], 0),
        _Column("Phase", [printable(record.phase) or NONE for record in records], 1, "left"),
        _Column("Loss", [f"{r.loss['total']:.3g}" if "total" in r.loss else NONE for r in records], 6),
    ]
    parted = [score_groups(record.scores) for record in records]
    for scope in dict.fromkeys(scope for groups, _ in parted for scope in groups):
        keys = list(dict.fromkeys(key for groups, _ in parted for key in groups.get(scope, {})))
        title = f"{printable(scope).capitalize()} {'/'.join(score_name(key)[:1] for key in keys)}"
        cells = [_slashed([groups.get(scope, {}).get(key) for key in keys]) for groups, _ in parted]
        built.append(_Column(title, cells, 2 if scope == "global" else 4))
    for key in dict.fromkeys(key for _, singles in parted for key in singles):
        title = "Seen" if key == "seen_accuracy" else score_name(key)
        cells = [_slashed([singles.get(key)]) for _, singles in parted]
        built.append(_Column(title, cells, 7 if key == "seen_accuracy" else 2))
    built += [
        _Column("Concepts", [_concepts(record) for record in records], 5),
        _Column("Found", [count(record.categories.found) for record in records], 3),
        _Column("Up/down a client", ["/".join(map(size, _bytes_per_client(record))) for record in records], 8),
        _Column("Sites", [_answered(record) for record in records], 3),
    ]
    empty = {NONE, f"{NONE}/{NONE}"}
    return [part for part in built if part.importance < 2 or not set(part.cells) <= empty]


def _slashed(scores: list[Score]) -> str:
    """Scores in per cent: "93.1/98.2/90.1"; one dash if none is known."""
    if all(score is None for score in scores):
        return NONE
    return "/".join(NONE if score is None else f"{100 * score:.1f}" for score in scores)


def _named(scores: Mapping[str, Score]) -> str:
    scored = {key: score for key, score in scores.items() if score is not None}
    return ", ".join(f"{printable(score_name(key))} {100 * score:.1f}" for key, score in scored.items())


def _concepts(record: RoundRecord) -> str:
    """Fewest and most concepts of a site: "9–12"."""
    if not record.concepts:
        return NONE
    low, high = min(record.concepts.values()), max(record.concepts.values())
    return str(low) if low == high else f"{low}–{high}"


def _answered(record: RoundRecord) -> str:
    asked, answered = record.clients.asked, record.clients.answered
    return NONE if asked is None or answered is None else f"{answered}/{asked}"


def _bytes_per_client(record: RoundRecord) -> tuple[float | None, float | None]:
    """Bytes ``(up, down)`` of the round for one client: up for one that answered, down for one asked."""
    up, down, clients = record.bytes.up, record.bytes.down, record.clients
    return (
        None if up is None or not clients.answered else up / clients.answered,
        None if down is None or not clients.asked else down / clients.asked,
    )
