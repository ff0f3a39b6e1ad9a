"""From cells to tables: mean and standard deviation over seeds, as Markdown."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.run.metrics import DiscoveryFinal, RunMetrics
from fedlpa.benchmark.cells import Label, Labels

Measures = Mapping[str, float | None]


@dataclass(frozen=True)
class Row:
    """All cells with the same ``labels``: ``runs`` that ended, ``failed`` that did not, and their measures.

    ``mean`` and ``std`` hold, by measure, the mean and the sample standard deviation over the runs that have it;
    ``std`` lacks a measure that only one run has.
    """

    labels: Labels
    runs: int
    failed: int
    mean: dict[str, float] = field(default_factory=dict)
    std: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """``measure`` under ``title``, times ``scale``, with ``digits`` decimals."""

    measure: str
    title: str
    scale: float = 1.0
    digits: int = 1


def percent(measure: str, title: str) -> Column:
    """A share in per cent."""
    return Column(measure, title, 100.0)


SECONDS = Column("seconds", "seconds", digits=0)
KB_UP = Column("up_bytes", "kB up", 1e-3, digits=0)
"""From one client in one round."""
SCORES = (
    percent("global_all", "global All"),
    percent("global_old", "Old"),
    percent("global_new", "New"),
    percent("local_all", "local All"),
    percent("local_old", "Old"),
    percent("local_new", "New"),
    Column("categories_found", "categories"),
    SECONDS,
    KB_UP,
)
"""What every suite of category discovery shows."""


def measures_of(metrics: RunMetrics) -> dict[str, float | None]:
    """The measures in the metrics of a run that discovers categories, by flat names."""
    final = metrics.final
    assert isinstance(final, DiscoveryFinal)
    scopes = {"global": final.global_, "local": final.local}
    return {
        **{f"{scope}_{part}": score for scope, split in scopes.items() for part, score in split},
        "concepts_global_all": final.concepts.global_.all,
        "concepts_local_all": final.concepts.local.all,
        "categories_found": final.categories.found,
        "categories_true": final.categories.true,
        "seconds": metrics.seconds.total,
        "up_bytes": metrics.wire.up_bytes_per_client_round,
        "down_bytes": metrics.wire.down_bytes_per_client_round,
    }


def summarise(cells: Sequence[tuple[Labels, Measures | None]]) -> list[Row]:
    """One row for each set of labels, in order of first appearance; ``seed`` is what they are averaged over.

    Args:
        cells: labels and measures of every cell; None: it failed.
    """
    groups: dict[tuple[tuple[str, Label], ...], list[Measures | None]] = {}
    for labels, measures in cells:
        key = tuple((name, value) for name, value in labels.items() if name != "seed")
        groups.setdefault(key, []).append(measures)
    rows = []
    for key, runs in groups.items():
        ended = [measures for measures in runs if measures is not None]
        values: dict[str, list[float]] = {}
        for measures in ended:
            for name, value in measures.items():
                if value is not None:
                    values.setdefault(name, []).append(float(value))
        rows.append(
            Row(
                labels=dict(key),
                runs=len(ended),
                failed=len(runs) - len(ended),
                mean={name: statistics.fmean(some) for name, some in values.items()},
                std={name: statistics.stdev(some) for name, some in values.items() if len(some) > 1},
            )
        )
    return rows


def by_data(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each data set, in order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row.labels["data"]), []).append(row)
    return groups


def add_gains(row: Row, base: Row, measures: Iterable[str]) -> None:
    """Put the difference of ``row`` to ``base`` into its mean as ``<measure>_gain``, for measures that both have."""
    for measure in measures:
        if measure in row.mean and measure in base.mean:
            row.mean[f"{measure}_gain"] = row.mean[measure] - base.mean[measure]


def markdown(rows: Sequence[Row], keys: Sequence[str], columns: Sequence[Column]) -> str:
    """A Markdown table with the labels ``keys`` on the left; the best score of a column is not marked."""
    header = [*keys, *(column.title for column in columns)]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(keys) + "---:|" * len(columns)]
    for row in rows:
        cells = [_label(row, key, last=key == keys[-1]) for key in keys]
        cells += [cell(row, column) for column in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(row: Row, column: Column) -> str:
    """ "93.1 ± 1.2"; categories as "11.3 ± 0.6 / 10"."""
    mean = row.mean.get(column.measure)
    if mean is None:
        return "–"
    text = f"{column.scale * mean:.{column.digits}f}"
    if column.measure in row.std:
        text += f" ± {column.scale * row.std[column.measure]:.{column.digits}f}"
    if column.measure == "categories_found" and "categories_true" in row.mean:
        text += f" / {row.mean['categories_true']:g}"
    return text


def _label(row: Row, key: str, last: bool) -> str:
    text = str(row.labels.get(key, ""))
    return f"{text} ({row.failed} of {row.runs + row.failed} failed)" if last and row.failed else text
