"""Counts as a table whose cells are tinted by their share of the row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server_app.report.colours import on_tint, tint


@dataclass(frozen=True)
class Cell:
    """A count, its share of the row in [0, 1], and its colours."""

    count: int
    share: float
    background: str
    text: str
    matched: bool


@dataclass(frozen=True)
class Row:
    """A row: its name, whether that names a novel class, its cells, their sum."""

    name: str
    novel: bool
    cells: tuple[Cell, ...]
    total: int


@dataclass(frozen=True)
class HeatTable:
    """``columns`` are ``(name, novel)``."""

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[Row, ...]


def heat_table(
    counts: NDArray[np.int64],
    rows: Sequence[tuple[str, bool]],
    columns: Sequence[tuple[str, bool]],
    matched: int = 0,
) -> HeatTable:
    """Tint ``counts`` ``[rows, columns]``; the first ``matched`` cells of the diagonal are marked."""
    built: list[Row] = []
    for i, (name, novel) in enumerate(rows):
        total = int(counts[i].sum())
        shares = [int(value) / total if total else 0.0 for value in counts[i]]
        cells = tuple(
            Cell(int(value), share, tint(share), on_tint(share), i == j < matched)
            for j, (value, share) in enumerate(zip(counts[i], shares, strict=True))
        )
        built.append(Row(name, novel, cells, total))
    return HeatTable(tuple(columns), tuple(built))
