"""A suite of cells: run them, make the tables, write the results."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path

from common.errors import InputError, RunFailedError
from common.files import write_json, write_text
from fedlpa.benchmark.cells import Cell, Command, Result, run_cell, simulate_command
from fedlpa.benchmark.chart import write_chart
from fedlpa.benchmark.progress import CellsView
from fedlpa.benchmark.score_rows import Column, Measures, Row, markdown, summarise

SCHEMA = 1
PACKAGES = ("fedlpa", "flwr", "torch", "infomap", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Section:
    """One table of a suite, with a note beneath it."""

    title: str
    rows: list[Row]
    keys: Sequence[str]
    columns: Sequence[Column]
    note: str = ""


@dataclass(frozen=True)
class Suite:
    """Cells, what is measured of each, and how it is shown.

    The chart has a group of bars for each of the labels ``chart_groups`` and a bar for each label ``chart_bars``.
    """

    name: str
    cells: list[Cell]
    measures: Callable[[Result], Measures]
    sections: Callable[[list[Row]], list[Section]]
    chart_groups: Sequence[str]
    chart_bars: str
    skipped: list[str] = field(default_factory=list)
    over_runs: Callable[[list[tuple[Result, Measures]]], list[Section]] = lambda runs: []
    """Tables that need every run by itself, not means over seeds."""


def run_suite(suite: Suite, out: Path, *, quick: bool = False, command: Command = simulate_command) -> str:
    """Run the cells into ``out/cells``; write ``results.json``, ``results.md`` and ``chart.svg`` into ``out``.

    Returns:
        the Markdown.

    Raises:
        RunFailedError: cells failed; the results of the others are written.
    """
    results = []
    with CellsView(suite.cells) as view:
        for cell in suite.cells:
            started = time.monotonic()
            view.on_start(cell)
            results.append(run_cell(cell, out / "cells", command))
            view.on_result(results[-1], time.monotonic() - started)
    measured = [_measure(suite, result) for result in results]
    results = [result for result, _ in measured]
    rows = summarise([(result.cell.labels, measures) for result, measures in measured])
    ended = [(result, measures) for result, measures in measured if measures is not None]
    sections = [*suite.sections(rows), *suite.over_runs(ended)]
    text = _page(suite, sections, results)
    write_json(out / "results.json", _as_json(suite, quick, rows, measured))
    write_text(out / "results.md", text)
    write_chart(rows, suite.chart_groups, suite.chart_bars, out / "chart.svg")
    failed = [result for result in results if result.status == "failed"]
    if failed:
        print(text)
        raise RunFailedError(
            f"{len(failed)} of {len(results)} cells failed, the first is {failed[0].cell.name}: {failed[0].error}; "
            f"the others are in {out / 'results.md'}, and the same command tries the failed ones again."
        )
    return text


def _measure(suite: Suite, result: Result) -> tuple[Result, Measures | None]:
    """What a cell came to; one whose files cannot be judged has failed, and the others go on."""
    if result.status == "failed":
        return result, None
    try:
        return result, suite.measures(result)
    except (InputError, OSError, ValueError, LookupError, TypeError) as error:
        why = f"it ran, but cannot be judged ({type(error).__name__}: {error})"
        return replace(result, status="failed", error=why), None


def _page(suite: Suite, sections: list[Section], results: list[Result]) -> str:
    seeds = sorted({int(result.cell.labels["seed"]) for result in results})
    machine = _machine()
    parts = [
        f"# fedlpa benchmark {suite.name}",
        f"Mean ± standard deviation over seeds {', '.join(map(str, seeds))}; scores in per cent; "
        "categories found / true; kB up from one client in one round. "
        f"Made on {machine['cpus']} CPUs ({machine['platform']}), Python {machine['python']}.",
    ]
    for section in sections:
        parts += [f"## {section.title}", markdown(section.rows, section.keys, section.columns)]
        parts += [section.note] if section.note else []
    parts += [f"- {sentence}" for sentence in suite.skipped]
    parts += [f"- {r.cell.name} failed: {r.error}" for r in results if r.status == "failed"]
    return "\n\n".join(parts) + "\n"


def _machine() -> dict[str, object]:
    return {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()}


def _as_json(
    suite: Suite, quick: bool, rows: list[Row], measured: list[tuple[Result, Measures | None]]
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "suite": suite.name,
        "quick": quick,
        "machine": _machine(),
        "versions": {name: _version(name) for name in PACKAGES},
        "skipped": suite.skipped,
        "summary": [asdict(row) for row in rows],
        "cells": [
            {
                "name": result.cell.name,
                "labels": dict(result.cell.labels),
                "settings": dict(result.cell.settings),
                "status": result.status,
                "error": result.error,
                "measures": measures,
                "metrics": result.metrics.to_json() if result.metrics else None,
            }
            for result, measures in measured
        ],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
