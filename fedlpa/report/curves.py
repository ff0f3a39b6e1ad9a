"""Which lines are drawn over the rounds: scores, losses, concepts, health, traffic and time."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from common.run.record import RoundRecord, Score, score_groups
from fedlpa.report.colours import DASHES, INK, LINES, PURPLE
from fedlpa.report.figures import Drawing
from fedlpa.report.line_chart import Line, Phase, line_chart
from fedlpa.report.run_reading import natural
from fedlpa.report.words import score_name, title

Records = Sequence[RoundRecord]
Reader = Callable[[RoundRecord], float | None]
Named = tuple[str, Reader]
MOST_SITES_IN_COLOUR = len(LINES)
MOST_HEALTH_CHARTS = 6


def score_charts(records: Records, shaded: Sequence[Phase]) -> list[Drawing]:
    """A chart for each scope (global, local), and one for the scores that stand alone."""
    parted = [score_groups(record.scores) for record in records]
    charts = []
    for scope in dict.fromkeys(scope for groups, _ in parted for scope in groups):
        keys = dict.fromkeys(key for groups, _ in parted for key in groups.get(scope, {}))
        lines = _lines(records, ((score_name(key), _score(key, scope)) for key in keys))
        charts.append(line_chart(f"{title(scope)} accuracy", lines, shaded, unit="share"))
    scored = dict.fromkeys(key for _, singles in parted for key, score in singles.items() if score is not None)
    lines = _lines(records, ((score_name(key), _score(key)) for key in scored))
    name = lines[0].name if len(lines) == 1 else "Accuracy"
    charts.append(line_chart(name, lines, shaded, unit="share"))
    return [chart for chart in charts if chart]


def loss_chart(records: Records, shaded: Sequence[Phase]) -> Drawing | None:
    """The total loss and its terms."""
    terms = dict.fromkeys(key for record in records for key in record.loss if key != "total")
    lines = _lines(records, ((title(key), _entry(lambda record: record.loss, key)) for key in terms))
    total = Line("Total", _points(records, _entry(lambda record: record.loss, "total")), INK, width=2.6)
    return line_chart("Loss", [total, *lines], shaded, note="mean over the clients; lower is better")


def concept_chart(records: Records, shaded: Sequence[Phase]) -> Drawing | None:
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


def health_charts(records: Records, shaded: Sequence[Phase]) -> list[Drawing]:
    """A small chart for each health value that was recorded."""
    charts = []
    for name in dict.fromkeys(name for record in records for name in record.health):
        points = _points(records, _entry(lambda record: record.health, name))
        charts.append(line_chart(title(name), [Line(title(name), points, PURPLE)], shaded))
    return [chart for chart in charts if chart][:MOST_HEALTH_CHARTS]


def traffic_chart(records: Records, shaded: Sequence[Phase]) -> Drawing | None:
    """Bytes of each round, up and down, all clients together."""
    named: list[Named] = [
        ("up, from the sites", lambda record: record.bytes.up),
        ("down, to the sites", lambda record: record.bytes.down),
    ]
    return line_chart("Bytes a round, all clients together", _lines(records, named), shaded, unit="bytes")


def time_chart(records: Records, shaded: Sequence[Phase]) -> Drawing | None:
    """Seconds of each round by what they were spent on."""
    named: list[Named] = [
        ("whole round", lambda record: record.seconds.round),
        ("computing at the clients", lambda record: record.seconds.client_compute),
        ("discovery", lambda record: record.seconds.discovery),
        ("server", lambda record: record.seconds.server),
    ]
    return line_chart("Seconds a round", _lines(records, named), shaded)


def _score(key: str, scope: str | None = None) -> Reader:
    """A reader of one score, by its name and its scope if it has one."""

    def read(record: RoundRecord) -> Score:
        groups, singles = score_groups(record.scores)
        return (singles if scope is None else groups.get(scope, {})).get(key)

    return read


def _entry(part: Callable[[RoundRecord], Mapping[str, float]], name: str) -> Reader:
    return lambda record: part(record).get(name)


def _points(records: Records, read: Reader) -> tuple[tuple[int, float], ...]:
    pairs = ((record.round, read(record)) for record in records)
    return tuple((index, value) for index, value in pairs if value is not None)


def _lines(records: Records, named: Iterable[Named]) -> list[Line]:
    """Lines in the report's colours and dashes, one after the other."""
    return [
        Line(name, _points(records, read), LINES[index % len(LINES)], DASHES[index % len(DASHES)])
        for index, (name, read) in enumerate(named)
    ]
