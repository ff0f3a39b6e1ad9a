"""Building ``report.html``: everything a run has to show, in one file that needs nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset, sort_labels
from common.files import write_text
from common.privacy.accountant import privacy_sentences
from common.run.record import PrivacySpent
from fedlpa.report import curves, embedding_map, words
from fedlpa.report.colours import OTHER_PHASE, PHASES, Look, category_looks, class_looks
from fedlpa.report.confusion import Confusion, confusion, majority
from fedlpa.report.heat_table import HeatTable, heat_table
from fedlpa.report.line_chart import phases
from fedlpa.report.page import PAGE
from fedlpa.report.participation import participation
from fedlpa.report.pictures import describe_categories
from fedlpa.report.run_reading import Run, number, read_run
from fedlpa.report.samples import Samples, read_samples
from fedlpa.report.score_table import categories, score_table, split_scores
from fedlpa.report.style import STYLE
from fedlpa.report.summary import heading, result_sentence, tiles, total_seconds, when

Features = Callable[[Dataset], NDArray[np.float32]]


def build_report(run: Path, features: Features | None = None) -> Path:
    """Write ``run/report.html`` and return its path.

    ``features`` maps a data set of n samples to their embedding, float32 ``[n, d]``; without it the map
    shows the flattened input. Whatever the run folder lacks is left out of the page, with a sentence why.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        percent=words.percent,
        size=words.size,
        count=words.count,
        duration=words.duration,
        printable=words.printable,
    )
    environment.globals["plural"] = words.plural
    read = read_run(run)
    page = environment.from_string(PAGE).render(style=STYLE, **_run_parts(read), **_sample_parts(read, features))
    target = run / "report.html"
    write_text(target, page.strip() + "\n")
    return target


def _run_parts(run: Run) -> dict[str, Any]:
    """What the page shows of the run's own files."""
    shaded = phases(run.rounds)
    found, true = categories(run.final.get("categories"))
    wire: dict[str, Any] = run.metrics.get("wire") or {}
    seconds: dict[str, Any] = run.metrics.get("seconds") or {}
    charts = [
        *curves.score_charts(run.rounds, shaded),
        curves.concept_chart(run.rounds, shaded),
        curves.loss_chart(run.rounds, shaded),
        *curves.health_charts(run.rounds, shaded),
    ]
    return {
        "heading": heading(run),
        "when": when(run),
        "sentence": result_sentence(run),
        "tiles": tiles(run),
        "scores": score_table(run),
        "seen_accuracy": split_scores(run.final)[1].get("seen_accuracy"),
        "found": found,
        "true_number": true,
        "phases": [
            {"name": name, "colour": PHASES.get(name, OTHER_PHASE)}
            for name in dict.fromkeys(phase.name for phase in shaded)
            if name
        ],
        "charts": [chart for chart in charts if chart],
        "cost_charts": [
            chart
            for chart in (curves.traffic_chart(run.rounds, shaded), curves.time_chart(run.rounds, shaded))
            if chart
        ],
        "up_total": _sum(run, "up"),
        "down_total": _sum(run, "down"),
        "up": number(wire.get("up_bytes_per_client_round")),
        "down": number(wire.get("down_bytes_per_client_round")),
        "full_model": number(wire.get("full_model_bytes")),
        "seconds_total": total_seconds(run),
        "seconds": [(name, value) for name, key in _SECONDS.items() if (value := number(seconds.get(key))) is not None],
        "participation": participation(run.rounds),
        "privacy": privacy_sentences(_privacy(run)),
        "config": [(key, _setting(value)) for key, value in run.config.items()],
        "is_graph": run.setting("method") == "fedlog" or "unseen_node" in run.final,
        "model_categories": _model_categories(run),
    }


_SECONDS = {
    "Computing at the clients, summed": "client_compute",
    "Discovery, of that": "discovery",
    "Server": "server",
}


def _sample_parts(run: Run, features: Features | None) -> dict[str, Any]:
    """What the page shows of the sites' samples; all None in a real deployment."""
    nothing = dict.fromkeys(("samples", "maps", "matrix", "share_right", "by_site", "described"))
    samples = read_samples(run.folder)
    if samples is None:
        return {**nothing, "incomplete": (), "scored": 0, "kind": "", "of_features": False}
    # What was given with a label was not discovered; only if everything has one is it shown nevertheless.
    rows = np.flatnonzero(~samples.labelled)
    if not len(rows):
        rows = np.arange(len(samples))
    seen = {str(name) for name in run.model.get("seen_classes") or ()}
    matched = confusion([samples.truth[row] for row in rows], [samples.category[row] for row in rows])
    classes = _classes(samples, matched)
    novel = _novel(samples)
    looks = category_looks(_majorities(samples, _category_order(samples, matched, novel)), class_looks(classes))
    return {
        "samples": samples,
        "maps": _maps(samples, classes, looks, features),
        "matrix": _matrix(matched, seen, novel) if matched else None,
        "share_right": matched.share_right if matched else None,
        "by_site": _by_site(samples, rows, list(looks), novel),
        "described": describe_categories(samples, rows, looks),
        "incomplete": samples.incomplete,
        "scored": len(rows),
        "kind": samples.map_data.kind,
        "of_features": features is not None,
    }


def _maps(
    samples: Samples, classes: tuple[str, ...], looks: dict[str, Look], features: Features | None
) -> list[dict[str, Any]] | None:
    points = embedding_map.place(samples.map_data, features)
    if points is None:
        return None
    rows = samples.map_rows.tolist()
    panels = []
    if classes:
        unknown = "not known"
        names = [samples.truth[row] or unknown for row in rows]
        truth_looks = {**class_looks(classes), unknown: embedding_map.UNKNOWN}
        svg, legend = embedding_map.draw(points, names, truth_looks, "Map of the embedding coloured by true class")
        panels.append({"title": "Coloured by truth", "svg": svg, "legend": legend})
    names = [samples.category[row] for row in rows]
    svg, legend = embedding_map.draw(points, names, looks, "Map of the embedding coloured by discovered category")
    panels.append({"title": "Coloured by discovered category", "svg": svg, "legend": legend})
    return panels


def _classes(samples: Samples, matched: Confusion | None) -> tuple[str, ...]:
    """All true classes: those of the confusion matrix in its order, then any that only have labels."""
    first = matched.classes if matched else ()
    others = {name for name in samples.truth if name is not None} - set(first)
    return (*sort_labels(set(first)), *sort_labels(others))


def _novel(samples: Samples) -> dict[str, bool]:
    """Whether each category that occurs is novel."""
    return dict(zip(samples.category, samples.novel.tolist(), strict=True))


def _category_order(samples: Samples, matched: Confusion | None, novel: dict[str, bool]) -> list[str]:
    """Categories as the confusion matrix orders them, then the rest: seen ones first."""
    first = list(matched.categories) if matched else []
    rest = sort_labels(set(samples.category) - set(first))
    return first + sorted(rest, key=lambda name: novel[name])


def _majorities(samples: Samples, order: list[str]) -> dict[str, str | None]:
    """The class that at least half of a category's samples have, or None."""
    truths: dict[str, list[str | None]] = {name: [] for name in order}
    for name, true in zip(samples.category, samples.truth, strict=True):
        truths[name].append(true)
    most = {name: majority(members) for name, members in truths.items()}
    return {
        name: found.true_class if found.purity is not None and found.purity >= 0.5 else None
        for name, found in most.items()
    }


def _matrix(matched: Confusion, seen: set[str], novel: dict[str, bool]) -> HeatTable:
    return heat_table(
        matched.counts,
        [(name, bool(seen) and name not in seen) for name in matched.classes],
        [(name, novel[name]) for name in matched.categories],
        matched.matched,
    )


def _by_site(samples: Samples, rows: NDArray[np.int64], order: list[str], novel: dict[str, bool]) -> HeatTable:
    occurring = {samples.category[row] for row in rows}
    names = [name for name in order if name in occurring]
    column = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(samples.sites), len(names)), dtype=np.int64)
    for row in rows.tolist():
        counts[samples.site[row], column[samples.category[row]]] += 1
    return heat_table(counts, [(site, False) for site in samples.sites], [(name, novel[name]) for name in names])


def _model_categories(run: Run) -> list[dict[str, Any]]:
    listed = run.model.get("categories")
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _privacy(run: Run) -> PrivacySpent | None:
    spent = run.metrics.get("privacy")
    return PrivacySpent.model_validate(spent) if spent else None


def _sum(run: Run, direction: str) -> float | None:
    amounts = [number((record.get("bytes") or {}).get(direction)) for record in run.rounds]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _setting(value: Any) -> str:
    if value is None:
        return words.NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
