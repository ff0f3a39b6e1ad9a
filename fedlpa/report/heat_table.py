"""Counts as a table whose cells are tinted by their share of the row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedlpa.report.colours import on_tint, tint


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
    """Tint ``counts`` ``[rows, columns]``; the first ``matched`` cells of the diagonal are marked.

    The highest share of the table has the deepest tint.
    """
    built: list[Row] = []
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    highest = max(float(shares.max(initial=0.0)), 1e-9)
    for i, (name, novel) in enumerate(rows):
        cells = tuple(
            Cell(int(value), float(share), tint(share / highest), on_tint(share / highest), i == j < matched)
            for j, (value, share) in enumerate(zip(counts[i], shares[i], strict=True))
        )
        built.append(Row(name, novel, cells, int(counts[i].sum())))
    return HeatTable(tuple(columns), tuple(built))
