"""``fedlpa data check``: what the application sees in a data set, what it will do with it, what is wrong."""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.data.dataset import Dataset, sort_labels
from common.data.read import ReadOptions, read_dataset
from common.data.split import choose_seen
from common.errors import InputError

_FEW = 10  # samples below which a class makes no category (the default of min-support)
_IMBALANCE = 20  # largest class over smallest from which on a warning is due
_SIDES = (8, 64)  # pixels the convolutional network is made for
_LIKE_MISSING = frozenset(("none", "null", "na", "n/a", "?", "unknown", "unlabelled", "unlabeled"))


@dataclass(frozen=True)
class DataReport:
    """What a data set holds.

    ``classes`` counts labelled samples; ``duplicates`` counts samples identical to an earlier one;
    ``problems`` says why the data cannot be used, and is empty if it can (``ok``).
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
    graph: dict[str, Any] | None = None
    """Of graphs: nodes, edges, isolated nodes, degrees, masks (``fedlpa.graph_check``)."""

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()} | {
            "classes": self.classes or {}
        }


def check_data(path: str, options: ReadOptions = ReadOptions()) -> DataReport:  # noqa: B008
    """Read the data set at ``path`` and report on it; bad input becomes a report that is not ``ok``."""
    if path.endswith(".npz"):
        from fedlpa.graph_check import check_graph

        return check_graph(path)
    try:
        dataset = read_dataset(path, options)
    except InputError as error:
        return DataReport(source=path, ok=False, problems=(str(error),))
    counts = Counter(label for label in dataset.labels if label is not None)
    classes = {name: counts[name] for name in sort_labels(set(counts))}
    duplicates, contradictions = _duplicates(dataset)
    constant = _constant_columns(dataset)
    return DataReport(
        source=path,
        ok=True,
        kind=dataset.kind,
        samples=len(dataset),
        sample_shape=dataset.sample_shape,
        columns=dataset.columns,
        labelled=sum(classes.values()),
        unlabelled=len(dataset) - sum(classes.values()),
        classes=classes,
        duplicates=duplicates,
        constant_columns=constant,
        skipped=dataset.skipped,
        warnings=(
            *_label_warnings(classes, len(dataset)),
            *_content_warnings(dataset, duplicates, contradictions, constant),
        ),
        will=_will(dataset, tuple(classes)),
    )


def render(report: DataReport) -> RenderableType:
    """The report for a terminal."""
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
        *_graph_facts(report.graph or {}),
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


def _graph_facts(graph: dict[str, Any]) -> list[tuple[str, str]]:
    if not graph:
        return []
    degrees = ", ".join(f"{degree}: {count}" for degree, count in graph["degrees"].items())
    masks = ", ".join(f"{name}: {count}" for name, count in graph["masks"].items())
    return [
        ("graph", f"{graph['nodes']} nodes, {graph['edges']} edges, {graph['isolated']} nodes without any"),
        ("labelled", f"{100 * graph['labelled_share']:.1f} % of the nodes"),
        ("degrees", f"{degrees} (mean {graph['mean_degree']:.1f})"),
        ("masks", masks or "none"),
    ]


def _duplicates(dataset: Dataset) -> tuple[int, int]:
    """How many samples repeat an earlier one, and how many of these carry another label than it."""
    first: dict[bytes, str | None] = {}
    repeated = contradicting = 0
    for sample, label in zip(np.ascontiguousarray(dataset.x), dataset.labels, strict=True):
        key = hashlib.blake2b(sample.tobytes(), digest_size=16).digest()
        if key not in first:
            first[key] = label
            continue
        repeated += 1
        contradicting += label is not None and first[key] not in (None, label)
        first[key] = label if first[key] is None else first[key]
    return repeated, contradicting


def _constant_columns(dataset: Dataset) -> tuple[str, ...]:
    if dataset.kind == "images" or len(dataset) < 2:
        return ()
    constant = np.flatnonzero((dataset.x == dataset.x[0]).all(axis=0)).tolist()
    return tuple(_column_name(dataset, j) for j in constant)


def _column_name(dataset: Dataset, j: int) -> str:
    return dataset.columns[j] if dataset.columns else f"embedding[{j}]"


def _label_warnings(classes: dict[str, int], samples: int) -> list[str]:
    if not classes:
        return ["No sample is labelled: no category can be named, all of them will stay novel-<n>."]
    warnings = []
    if len(classes) == 1:
        warnings.append(f"All labels are of one class, '{next(iter(classes))}': nothing to tell it from.")
    few = [name for name, count in classes.items() if count < _FEW]
    if len(classes) > 20 and len(classes) > samples / 2:
        warnings.append(
            f"There are {len(classes)} classes for {samples} samples: the label column looks like a "
            "measurement or an id, not like classes."
        )
    elif few:
        warnings.append(f"Fewer than {_FEW} labelled samples of {some(few)}: too few for a category of its own.")
    most, least = max(classes, key=lambda name: classes[name]), min(classes, key=lambda name: classes[name])
    if classes[most] >= _IMBALANCE * classes[least]:
        warnings.append(
            f"The classes are strongly imbalanced: '{most}' has {classes[most]} labelled samples, "
            f"'{least}' has {classes[least]}."
        )
    suspect = [name for name in classes if name.casefold() in _LIKE_MISSING]
    if suspect:
        warnings.append(f"{some(suspect)} counts as a class: leave the label empty if it means unlabelled.")
    named = [name for name in classes if name.startswith("novel-")]
    if named:
        warnings.append(f"{some(named)} looks like the name of a discovered category: rename the class.")
    return warnings


def _content_warnings(dataset: Dataset, duplicates: int, contradictions: int, constant: tuple[str, ...]) -> list[str]:
    warnings = []
    if len(dataset) < 2 * _FEW:
        warnings.append(f"{len(dataset)} samples are too few to discover categories in.")
    if duplicates:
        warnings.append(f"{duplicates} samples are identical to an earlier one.")
    if contradictions:
        warnings.append(f"{contradictions} of them are labelled differently from it.")
    if constant:
        warnings.append(f"{some(constant)} never changes and carries no information.")
    counting = [_column_name(dataset, j) for j in _counting_columns(dataset)]
    if counting:
        warnings.append(f"{some(counting)} counts the rows: remove it, or name it id.")
    if dataset.kind == "images" and not _SIDES[0] <= max(dataset.sample_shape[1:]) <= _SIDES[1]:
        warnings.append(
            f"The network is made for images of {_SIDES[0]} to {_SIDES[1]} pixels, these have "
            f"{dataset.sample_shape[2]}x{dataset.sample_shape[1]}: resize them with --set image-size=32."
        )
    if dataset.skipped:
        warnings.append(f"{len(dataset.skipped)} images do not decode and are left out.")
    return warnings


def _counting_columns(dataset: Dataset) -> list[int]:
    if dataset.kind == "images" or len(dataset) < _FEW:
        return []
    rows = np.arange(len(dataset), dtype=np.float32)[:, None]
    return [int(j) for j in np.flatnonzero((dataset.x == dataset.x[:1].astype(np.float32) + rows).all(axis=0))]


def _will(dataset: Dataset, classes: tuple[str, ...]) -> tuple[str, ...]:
    if dataset.kind == "images":
        channels = "grey" if dataset.sample_shape[0] == 1 else "RGB"
        model = (
            f"A small convolutional network learns from the {channels} images.",
            "Pixels are scaled from 0..255 to 0..1.",
        )
    else:
        model = (
            f"A residual adapter learns from the {dataset.sample_shape[0]} numbers of a sample.",
            "Each number is standardised by its mean and spread over the federation.",
        )
    if not classes:
        return (*model, "Categories can be predicted for it; a simulation needs labels.")
    seen = choose_seen(classes, (), dataset.source)
    return (
        *model,
        f"At a site, each labelled class is a seen class: {some(classes)}.",
        f"In a simulation, the first half are the seen classes unless --seen-classes names others: {some(seen)}.",
    )


def some(names: tuple[str, ...] | list[str]) -> str:
    """Names in quotes, the first ten of them."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"'{name}'" for name in names[:10]) + more
