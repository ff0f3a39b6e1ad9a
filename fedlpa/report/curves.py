"""Which lines are drawn over the rounds: scores, losses, concepts, health, traffic and time."""

from collections.abc import Callable, Sequence
from typing import Any

from fedlpa.report.colours import DASHES, INK, LINES, PURPLE
from fedlpa.report.line_chart import Chart, Line, Phase, line_chart
from fedlpa.report.run_reading import natural, number
from fedlpa.report.score_table import categories, split_scores
from fedlpa.report.words import score_name, title

Records = Sequence[dict[str, Any]]
MOST_SITES_IN_COLOUR = len(LINES)
MOST_HEALTH_CHARTS = 6


def score_charts(records: Records, shaded: Sequence[Phase]) -> list[Chart]:
    """A chart for each scope (global, local), and one for the scores that stand alone."""
    groups: dict[str, list[str]] = {}
    singles: list[str] = []
    for record in records:
        grouped, single = split_scores(record.get("scores"))
        for scope, scores in grouped.items():
            groups[scope] = list(dict.fromkeys([*groups.get(scope, []), *scores]))
        singles = list(dict.fromkeys([*singles, *single]))
    charts = [
        line_chart(
            f"{title(scope)} accuracy",
            [_line(score_name(key), records, _reader("scores", scope, key), index) for index, key in enumerate(keys)],
            shaded,
            unit="share",
        )
        for scope, keys in groups.items()
    ]
    known = [key for key in singles if _points(records, _reader("scores", key))]
    lines = [_line(score_name(key), records, _reader("scores", key), i) for i, key in enumerate(known)]
    name = lines[0].name if len(lines) == 1 else "Accuracy"
    charts.append(line_chart(name, lines, shaded, unit="share"))
    return [chart for chart in charts if chart]


def loss_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """The total loss and its terms."""
    terms = list(dict.fromkeys(key for record in records for key in record.get("loss") or {}))
    lines = [
        _line(title(key), records, _reader("loss", key), index)
        for index, key in enumerate(key for key in terms if key != "total")
    ]
    total = Line("Total", _points(records, _reader("loss", "total")), INK, width=2.6)
    return line_chart("Loss", [total, *lines], shaded, note="mean over the clients; lower is better")


def concept_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """Concepts of each site, categories found after matching, and the true number of categories."""
    names = sorted({str(name) for record in records for name in record.get("concepts") or {}}, key=natural)
    many = len(names) > MOST_SITES_IN_COLOUR
    sites = [
        Line(
            f"each of {len(names)} sites" if many else name,
            _points(records, _reader("concepts", name)),
            "#98a4b3" if many else LINES[index],
            width=1.0 if many else 1.5,
            in_legend=not many or index == 0,
        )
        for index, name in enumerate(names)
    ]
    found = Line(
        "categories found",
        _points(records, lambda record: categories(record.get("categories"))[0]),
        INK,
        width=2.8,
    )
    true = Line(
        "true number",
        _points(records, lambda record: categories(record.get("categories"))[1]),
        INK,
        dash=(0, (4, 2)),
        width=1.4,
    )
    # Truth is known before anything is found; a line without the thing it is compared with says nothing.
    lines = [*sites, found, true] if sites or found.points else []
    return line_chart("Concepts of each site, and categories", lines, shaded, unit="count")


def health_charts(records: Records, shaded: Sequence[Phase]) -> list[Chart]:
    """A small chart for each health value that was recorded."""
    names = list(dict.fromkeys(key for record in records for key in record.get("health") or {}))
    charts = [
        line_chart(
            title(key),
            [Line(title(key), _points(records, _reader("health", key)), PURPLE)],
            shaded,
        )
        for key in names
    ]
    return [chart for chart in charts if chart][:MOST_HEALTH_CHARTS]


def traffic_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """Bytes of each round, up and down, all clients together."""
    lines = [
        _line("up, from the sites", records, _reader("bytes", "up"), 0),
        _line("down, to the sites", records, _reader("bytes", "down"), 1),
    ]
    return line_chart("Bytes a round, all clients together", lines, shaded, unit="bytes")


def time_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """Seconds of each round by what they were spent on."""
    names = {
        "round": "whole round",
        "client_compute": "computing at the clients",
        "discovery": "discovery",
        "server": "server",
    }
    found = dict.fromkeys(key for record in records for key in record.get("seconds") or {})
    lines = [
        _line(names.get(key, title(key)), records, _reader("seconds", key), index) for index, key in enumerate(found)
    ]
    return line_chart("Seconds a round", lines, shaded)


Reader = Callable[[dict[str, Any]], float | None]


def _reader(*path: str) -> Reader:
    def read(record: dict[str, Any]) -> float | None:
        value: Any = record
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return number(value)

    return read


def _points(records: Records, read: Reader) -> tuple[tuple[int, float], ...]:
    pairs = ((int(record["round"]), read(record)) for record in records)
    return tuple((index, value) for index, value in pairs if value is not None)


def _line(name: str, records: Records, read: Reader, index: int) -> Line:
    return Line(name, _points(records, read), LINES[index % len(LINES)], DASHES[index % len(DASHES)])
