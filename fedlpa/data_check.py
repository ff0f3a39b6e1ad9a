"""``fedlpa data check``: what the application sees in a data set, what it will do with it, what is wrong."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np

from common.data.dataset import Dataset, sort_labels
from common.data.description import some
from common.data.kind_registry import sample_kind
from common.data.kinds.graphs import is_graph
from common.data.options import ReadOptions
from common.data.read import read_dataset
from common.data.split import choose_seen
from common.errors import InputError
from fedlpa.data_report import DataReport
from fedlpa.graph_check import check_graph

_FEW = 10  # samples below which a class makes no category (the default of min-support)
_IMBALANCE = 20  # largest class over smallest from which on a warning is due
_LIKE_MISSING = frozenset(("none", "null", "na", "n/a", "?", "unknown", "unlabelled", "unlabeled"))


def check_data(path: str, options: ReadOptions = ReadOptions()) -> DataReport:  # noqa: B008
    """Read the data set at ``path`` and report on it; bad input becomes a report that is not ``ok``."""
    if is_graph(Path(path)):
        return check_graph(path)
    try:
        dataset = read_dataset(path, options)
    except InputError as error:
        return DataReport(source=path, ok=False, problems=(str(error),))
    counts = Counter(label for label in dataset.labels if label is not None)
    classes = {name: counts[name] for name in sort_labels(set(counts))}
    duplicates, contradictions = _duplicates(dataset)
    description = sample_kind(dataset.kind).describe(dataset)
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
        constant_columns=description.constant_columns,
        skipped=dataset.skipped,
        warnings=(
            *_label_warnings(classes, len(dataset)),
            *_sample_warnings(len(dataset), duplicates, contradictions),
            *description.warnings,
        ),
        will=(*description.will, *_what_labels_do(dataset.source, tuple(classes))),
    )


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


def _sample_warnings(samples: int, duplicates: int, contradictions: int) -> list[str]:
    warnings = []
    if samples < 2 * _FEW:
        warnings.append(f"{samples} samples are too few to discover categories in.")
    if duplicates:
        warnings.append(f"{duplicates} samples are identical to an earlier one.")
    if contradictions:
        warnings.append(f"{contradictions} of them are labelled differently from it.")
    return warnings


def _what_labels_do(source: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    if not classes:
        return ("Categories can be predicted for it; a simulation needs labels.",)
    seen = choose_seen(classes, (), source)
    return (
        f"At a site, each labelled class is a seen class: {some(classes)}.",
        f"In a simulation, the first half are the seen classes unless --seen-classes names others: {some(seen)}.",
    )
