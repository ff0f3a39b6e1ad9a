"""How a benchmark shows that it goes on: a bar with the time left on a terminal, else one line a cell."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from common.run.metrics import Scopes
from fedlpa.benchmark.cells import Cell, Result
from fedlpa.report.words import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class CellsView:
    """A context manager that is told of every cell that starts and ends."""

    def __init__(self, cells: Sequence[Cell], stream: TextIO | None = None, console: "Console | None" = None) -> None:
        from rich.console import Console

        self._cells = list(cells)
        self._console = console or Console(file=stream or sys.stderr)
        self._bar: Progress | None = None
        self._ended = 0
        self._cost_left = sum(cell.cost for cell in cells)
        self._cost_run = self._seconds_run = 0.0

    def __enter__(self) -> "CellsView":
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}", markup=False),
                console=self._console,
            )
            self._task = self._bar.add_task("", total=len(self._cells), left="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_start(self, cell: Cell) -> None:
        """A cell is being run."""
        if self._bar is not None:
            self._bar.update(self._task, description=cell.name)

    def on_result(self, result: Result, seconds: float) -> None:
        """A cell has an end; kept ones say nothing about the time that others take."""
        self._ended += 1
        self._cost_left -= result.cell.cost
        if result.status == "done":
            self._cost_run += result.cell.cost
            self._seconds_run += seconds
        line = f"[{self._ended}/{len(self._cells)}] {result.cell.name}: {_outcome(result, seconds)}"
        left = self.time_left()
        if self._bar is not None:
            self._bar.update(self._task, advance=1, left=left)
            if result.status != "kept":
                self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self._console.print(line + (f" ({left})" if left else ""), markup=False, highlight=False, soft_wrap=True)

    def time_left(self) -> str:
        """ "about 12 min left", from what the cells so far took; empty where that cannot be said."""
        if not self._cost_run or self._ended == len(self._cells):
            return ""
        return f"about {duration(self._seconds_run / self._cost_run * self._cost_left)} left"


def _outcome(result: Result, seconds: float) -> str:
    if result.status == "failed":
        return f"failed: {result.error}"
    final = result.metrics.final if result.metrics else None
    scopes = {"global": final.global_, "local": final.local} if isinstance(final, Scopes) else {}
    parts = [f"{scope} All {100 * split.all:.1f}" for scope, split in scopes.items() if split.all is not None]
    how = "kept" if result.status == "kept" else f"done in {duration(seconds)}"
    return ", ".join([how, *parts])
