"""Which lines are drawn over the rounds: scores, losses, concepts, health, traffic and time."""

from collections.abc import Callable, Mapping, Sequence

from common.run.record import RoundRecord, Score, score_groups
from fedlpa.report.colours import DASHES, INK, LINES, PURPLE
from fedlpa.report.line_chart import Chart, Line, Phase, line_chart
from fedlpa.report.run_reading import natural
from fedlpa.report.words import score_name, title

Records = Sequence[RoundRecord]
Reader = Callable[[RoundRecord], float | None]
MOST_SITES_IN_COLOUR = len(LINES)
MOST_HEALTH_CHARTS = 6


def score_charts(records: Records, shaded: Sequence[Phase]) -> list[Chart]:
    """A chart for each scope (global, local), and one for the scores that stand alone."""
    parted = [score_groups(record.scores) for record in records]
    charts = []
    for scope in dict.fromkeys(scope for groups, _ in parted for scope in groups):
        keys = dict.fromkeys(key for groups, _ in parted for key in groups.get(scope, {}))
        lines = [_line(score_name(key), records, _score(scope, key), index) for index, key in enumerate(keys)]
        charts.append(line_chart(f"{title(scope)} accuracy", lines, shaded, unit="share"))
    scored = dict.fromkeys(key for _, singles in parted for key, score in singles.items() if score is not None)
    lines = [_line(score_name(key), records, _score(key), index) for index, key in enumerate(scored)]
    name = lines[0].name if len(lines) == 1 else "Accuracy"
    charts.append(line_chart(name, lines, shaded, unit="share"))
    return [chart for chart in charts if chart]


def loss_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """The total loss and its terms."""
    terms = dict.fromkeys(key for record in records for key in record.loss if key != "total")
    lines = [
        _line(title(key), records, _entry(lambda record: record.loss, key), index) for index, key in enumerate(terms)
    ]
    total = Line("Total", _points(records, _entry(lambda record: record.loss, "total")), INK, width=2.6)
    return line_chart("Loss", [total, *lines], shaded, note="mean over the clients; lower is better")


def concept_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """Concepts of each site, categories found after matching, and the true number of categories."""
    names = sorted({name for record in records for name in record.concepts}, key=natural)
    many = len(names) > MOST_SITES_IN_COLOUR
    sites = [
        Line(
            f"each of {len(names)} sites" if many else name,
            _points(records, _entry(lambda record: record.concepts, name)),
            "#98a4b3" if many else LINES[index],
            width=1.0 if many else 1.5,
            in_legend=not many or index == 0,
        )
        for index, name in enumerate(names)
    ]
    categories = Line("categories found", _points(records, lambda record: record.categories.found), INK, width=2.8)
    dashes = (0, (4, 2))
    true = Line("true number", _points(records, lambda record: record.categories.true), INK, dash=dashes, width=1.4)
    # Truth is known before anything is found; a line without the thing it is compared with says nothing.
    lines = [*sites, categories, true] if sites or categories.points else []
    return line_chart("Concepts of each site, and categories", lines, shaded, unit="count")


def health_charts(records: Records, shaded: Sequence[Phase]) -> list[Chart]:
    """A small chart for each health value that was recorded."""
    charts = []
    for name in dict.fromkeys(name for record in records for name in record.health):
        points = _points(records, _entry(lambda record: record.health, name))
        charts.append(line_chart(title(name), [Line(title(name), points, PURPLE)], shaded))
    return [chart for chart in charts if chart][:MOST_HEALTH_CHARTS]


def traffic_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """Bytes of each round, up and down, all clients together."""
    lines = [
        _line("up, from the sites", records, lambda record: record.bytes.up, 0),
        _line("down, to the sites", records, lambda record: record.bytes.down, 1),
    ]
    return line_chart("Bytes a round, all clients together", lines, shaded, unit="bytes")


def time_chart(records: Records, shaded: Sequence[Phase]) -> Chart | None:
    """Seconds of each round by what they were spent on."""
    lines = [
        _line("whole round", records, lambda record: record.seconds.round, 0),
        _line("computing at the clients", records, lambda record: record.seconds.client_compute, 1),
        _line("discovery", records, lambda record: record.seconds.discovery, 2),
        _line("server", records, lambda record: record.seconds.server, 3),
    ]
    return line_chart("Seconds a round", lines, shaded)


def _score(*path: str) -> Reader:
    """A reader of one score, by its name or by its scope and its name."""

    def read(record: RoundRecord) -> Score:
        groups, singles = score_groups(record.scores)
        return groups.get(path[0], {}).get(path[1]) if len(path) > 1 else singles.get(path[0])

    return read


def _entry(part: Callable[[RoundRecord], Mapping[str, float]], name: str) -> Reader:
    return lambda record: part(record).get(name)


def _points(records: Records, read: Reader) -> tuple[tuple[int, float], ...]:
    pairs = ((record.round, read(record)) for record in records)
    return tuple((index, value) for index, value in pairs if value is not None)


def _line(name: str, records: Records, read: Reader, index: int) -> Line:
    return Line(name, _points(records, read), LINES[index % len(LINES)], DASHES[index % len(DASHES)])
