"""What ``fedlpa data check`` found in a data set, for a program and for a terminal."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from common.data.description import some
from common.data.kinds.graphs import GraphFacts

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class DataReport:
    """What a data set holds.

    ``classes`` counts labelled samples; ``duplicates`` counts samples identical to an earlier one;
    ``problems`` says why the data cannot be used, and is empty if it can (``ok``). ``graph``: of graphs only.
    """

    source: str
    ok: bool
    kind: str | None = None
    samples: int = 0
    sample_shape: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    labelled: int = 0
    unlabelled: int = 0
    classes: dict[str, int] | None = None
    duplicates: int = 0
    constant_columns: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    will: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    graph: GraphFacts | None = None

    def to_json(self) -> dict[str, object]:
        """The report as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()} | {
            "classes": self.classes or {}
        }


def render(report: DataReport) -> "RenderableType":
    """The report for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    facts = Table(show_header=False, box=None, title=Text(report.source), title_justify="left")
    for name, value in _facts(report):
        facts.add_row(name, Text(value))
    parts: list[RenderableType] = [facts]
    for title, style, sentences in (
        ("What will be done with it", "green", report.will),
        ("Worth knowing", "yellow", report.warnings),
        ("Left out", "yellow", report.skipped[:10]),
        ("Cannot be used", "red", report.problems),
    ):
        if sentences:
            parts.append(Text(f"\n{title}", style=f"bold {style}"))
            parts.extend(Text(f"- {sentence}") for sentence in sentences)
    return Group(*parts)


def _facts(report: DataReport) -> list[tuple[str, str]]:
    if not report.ok:
        return []
    classes = ", ".join(f"{name} ({count})" for name, count in (report.classes or {}).items())
    facts = [
        ("kind", str(report.kind)),
        *([] if report.graph is None else _graph_facts(report.graph)),
        ("samples", f"{report.samples} of shape {' x '.join(str(side) for side in report.sample_shape)}"),
        ("labels", f"{report.labelled} labelled, {report.unlabelled} unlabelled"),
        ("classes", classes or "none"),
        ("duplicates", str(report.duplicates)),
    ]
    if report.columns:
        facts.append(("columns", some(report.columns)))
    if report.constant_columns:
        facts.append(("constant", some(report.constant_columns)))
    return facts


def _graph_facts(graph: GraphFacts) -> list[tuple[str, str]]:
    degrees = ", ".join(f"{degree}: {count}" for degree, count in graph.degrees.items())
    masks = ", ".join(f"{name}: {count}" for name, count in graph.masks.items())
    return [
        ("graph", f"{graph.nodes} nodes, {graph.edges} edges, {graph.isolated} nodes without any"),
        ("labelled", f"{100 * graph.labelled_share:.1f} % of the nodes"),
        ("degrees", f"{degrees} (mean {graph.mean_degree:.1f})"),
        ("masks", masks or "none"),
    ]
