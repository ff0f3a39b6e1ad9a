"""One bar chart of a suite: a group of bars for each setting, a bar for each method."""

from collections.abc import Sequence
from pathlib import Path

from common.files import write_atomically
from fedlpa.benchmark.score_rows import Row


def write_chart(rows: Sequence[Row], groups: Sequence[str], bars: str, path: Path) -> None:
    """Write the bars of ``rows`` to ``path`` (SVG), grouped by the labels ``groups``, one bar each label ``bars``.

    A bar is the global All in per cent, with its standard deviation; a method that has no global score shows its
    local one, hatched. The chart is left out where nothing is scored.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(str(row.labels[bars]) for row in rows))
    places = list(dict.fromkeys(tuple(row.labels.get(key) for key in groups) for row in rows))
    scored = [row for row in rows if "global_all" in row.mean or "local_all" in row.mean]
    if not scored:
        return
    width = 0.8 / len(names)
    with mpl.rc_context({"svg.hashsalt": "fedlpa", "hatch.linewidth": 0.6}):
        figure = Figure(figsize=(max(6.0, 0.9 + len(places) * (0.6 + 0.24 * len(names))), 4.2), layout="constrained")
        axes = figure.add_subplot()
        for i, name in enumerate(names):
            own = [row for row in scored if str(row.labels[bars]) == name]
            for row in own:
                measure = "global_all" if "global_all" in row.mean else "local_all"
                place = places.index(tuple(row.labels.get(key) for key in groups))
                axes.bar(
                    place + (i - (len(names) - 1) / 2) * width,
                    100 * row.mean[measure],
                    width,
                    yerr=100 * row.std[measure] if measure in row.std else None,
                    color=f"C{i % 10}",
                    hatch="//" if measure == "local_all" else None,
                    edgecolor="white",
                    error_kw={"elinewidth": 0.8},
                    label=(name + (" (local)" if measure == "local_all" else "")) if row is own[0] else None,
                )
        axes.set_xticks(range(len(places)), [", ".join(map(_text, place)) for place in places], rotation=20, ha="right")
        axes.set_ylabel("All, per cent")
        axes.set_ylim(0, 100)
        axes.grid(axis="y", linewidth=0.4)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=4, fontsize="small", frameon=False)
        write_atomically(path, lambda temporary: figure.savefig(temporary, format="svg", metadata={"Date": None}))


def _text(label: object) -> str:
    return (
        f"alpha {label:g}" if isinstance(label, float) else f"{label} clients" if isinstance(label, int) else str(label)
    )
