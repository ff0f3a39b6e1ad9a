"""One line chart over the rounds as an inline SVG, with the phases shaded."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from common.run.record import RoundRecord
from fedlpa.report.colours import INK, phase_colour
from fedlpa.report.figures import Drawing, to_svg
from fedlpa.report.words import percent, size

WIDTH, HEIGHT = 470, 250
Dash = str | tuple[float, Sequence[float]]
"""As matplotlib has it: a name, or where the pattern begins and its strokes and gaps."""


@dataclass(frozen=True)
class Line:
    """A named line: ``points`` are ``(round, value)``."""

    name: str
    points: tuple[tuple[int, float], ...]
    colour: str
    dash: Dash = "-"
    width: float = 2.0
    in_legend: bool = True


@dataclass(frozen=True)
class Phase:
    """Consecutive rounds of one phase, both ends included."""

    name: str
    first: int
    last: int


def phases(records: Sequence[RoundRecord]) -> list[Phase]:
    """The phases of a run in order, as far as the records name them."""
    parts = [list(part) for _, part in groupby(records, lambda record: record.phase)]
    return [Phase(part[0].phase, part[0].round, part[-1].round) for part in parts]


def line_chart(
    title: str,
    lines: Sequence[Line],
    shaded: Sequence[Phase],
    unit: str = "number",
    note: str = "",
) -> Drawing | None:
    """Draw ``lines``; None if none of them has a point.

    ``unit`` is "share" (axis up to 100 %), "bytes", "count" or "number" (axis from 0).
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return None
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes((0.105, 0.115, 0.88, 0.86))
    for phase in shaded if len({phase.name for phase in shaded}) > 1 else ():
        axes.axvspan(phase.first - 0.5, phase.last + 0.5, color=phase_colour(phase.name), lw=0, zorder=0)
    for line in lines:
        axes.plot(
            *zip(*line.points, strict=True),
            color=line.colour,
            linestyle=line.dash,
            linewidth=line.width,
            marker="o" if len(line.points) <= 12 else "",
            markersize=4.2,
            solid_capstyle="round",
        )
    axes.set_xlim(shaded[0].first - 0.5, shaded[-1].last + 0.5)
    values = [value for line in lines for _, value in line.points]
    bottom, top = min(values), max(values)
    if unit == "share":
        # Down to the ten per cent below the lowest: good scores differ by a few points only.
        axes.set_ylim(max(0.0, math.floor((bottom - 0.02) * 10) / 10), max(1.0, top))
    else:
        axes.set_ylim(min(0.0, bottom * 1.05), (top if top > 0 else 1.0) * 1.08)
    axes.set_xticks(_ticks(shaded[0].first, shaded[-1].last))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=unit == "count"))
    formats: dict[str, Callable[[float, int], str]] = {
        "share": lambda value, _: percent(value, 0),
        "bytes": lambda value, _: size(value).replace(".0", ""),
        "count": lambda value, _: f"{value:,.0f}",
        "number": lambda value, _: f"{value:,g}",
    }
    axes.yaxis.set_major_formatter(FuncFormatter(formats[unit]))
    axes.tick_params(length=0, labelsize=11, colors="#4a5663", pad=5)
    axes.grid(axis="y", color=INK, alpha=0.13, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#8b96a3")
    names = ", ".join(line.name for line in lines if line.in_legend)
    legend = tuple((line.name, _key(line)) for line in lines if line.in_legend)
    return Drawing(title, to_svg(figure, f"{title} over the rounds: {names}"), legend, note)


def _ticks(first: int, last: int) -> list[int]:
    """The first round, the last one, and round numbers between them."""
    span = last - first
    step = next(step * 10**power for power in range(9) for step in (1, 2, 5) if span <= 8 * step * 10**power)
    between = [tick for tick in range(step, last, step) if tick - first >= step / 2 and last - tick >= step / 2]
    return sorted({first, *between, last})


def _key(line: Line) -> Markup:
    dash = "" if isinstance(line.dash, str) else " ".join(f"{part * line.width:g}" for part in line.dash[1])
    return Markup(
        '<svg class="key" viewBox="0 0 24 8" aria-hidden="true"><line x1="1" y1="4" x2="23" y2="4" '
        'stroke="{}" stroke-width="{}" stroke-dasharray="{}"/></svg>'
    ).format(line.colour, line.width, dash)
