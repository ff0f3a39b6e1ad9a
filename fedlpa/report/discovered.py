"""What was discovered in the sites' samples: maps, categories against true classes, and where each category lies."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import sort_labels
from fedlpa.report import embedding_map
from fedlpa.report.colours import UNKNOWN, Look, category_looks, class_looks
from fedlpa.report.confusion import Confusion, confusion, majority
from fedlpa.report.embedding_map import Features
from fedlpa.report.figures import Drawing
from fedlpa.report.heat_table import HeatTable, heat_table
from fedlpa.report.pictures import Category, describe_categories
from fedlpa.report.run_reading import Run
from fedlpa.report.samples import Samples, read_samples


@dataclass(frozen=True)
class Discovered:
    """What the page shows of the sites' samples; ``scored`` of them are counted.

    There is no ``matrix`` where no truth is known, and there are no ``maps`` of too few samples.
    """

    samples: Samples
    scored: int
    maps: tuple[Drawing, ...]
    matrix: HeatTable | None
    share_right: float | None
    by_site: HeatTable
    categories: tuple[Category, ...]


def read_discovered(run: Run, features: Features | None) -> Discovered | None:
    """Read and draw them; None in a real deployment, whose samples are elsewhere."""
    samples = read_samples(run.folder)
    if samples is None:
        return None
    # What was given with a label was not discovered; only if everything has one is it shown nevertheless.
    rows = np.flatnonzero(~samples.labelled)
    if not len(rows):
        rows = np.arange(len(samples))
    matched = confusion(samples.truth[rows], samples.category[rows])
    classes = _classes(samples, matched)
    novel = dict(zip(samples.category, samples.novel.tolist(), strict=True))
    order = _category_order(samples, matched, novel)
    looks = category_looks(_majorities(samples, order), class_looks(classes))
    return Discovered(
        samples=samples,
        scored=len(rows),
        maps=_maps(samples, classes, looks, features),
        matrix=_matrix(matched, run.model.seen_classes, novel) if matched else None,
        share_right=matched.share_right if matched else None,
        by_site=_by_site(samples, rows, list(looks), novel),
        categories=tuple(describe_categories(samples, rows, looks)),
    )


def _maps(
    samples: Samples, classes: tuple[str, ...], looks: dict[str, Look], features: Features | None
) -> tuple[Drawing, ...]:
    points = embedding_map.place(samples.map_data, features)
    if points is None:
        return ()
    category = samples.category[samples.map_rows]
    label = "Map of the embedding coloured by discovered category"
    by_category = embedding_map.draw("Coloured by discovered category", label, points, category, looks)
    if not classes:
        return (by_category,)
    unknown = "not known"
    true = np.array([name or unknown for name in samples.truth[samples.map_rows]], dtype=np.object_)
    truth_looks = {**class_looks(classes), unknown: UNKNOWN}
    label = "Map of the embedding coloured by true class"
    return embedding_map.draw("Coloured by truth", label, points, true, truth_looks), by_category


def _classes(samples: Samples, matched: Confusion | None) -> tuple[str, ...]:
    """All true classes: those of the confusion matrix in its order, then any that only have labels."""
    first = matched.classes if matched else ()
    others = {name for name in samples.truth if name is not None} - set(first)
    return (*sort_labels(set(first)), *sort_labels(others))


def _category_order(samples: Samples, matched: Confusion | None, novel: dict[str, bool]) -> list[str]:
    """Categories as the confusion matrix orders them, then the rest: seen ones first."""
    first = list(matched.categories) if matched else []
    rest = sort_labels(set(samples.category) - set(first))
    return first + sorted(rest, key=lambda name: novel[name])


def _majorities(samples: Samples, order: list[str]) -> dict[str, str | None]:
    """The class that at least half of a category's samples have, or None."""
    majorities = {name: majority(samples.truth[samples.category == name]) for name in order}
    return {name: most if (share or 0.0) >= 0.5 else None for name, (most, share) in majorities.items()}


def _matrix(matched: Confusion, seen: tuple[str, ...], novel: dict[str, bool]) -> HeatTable:
    return heat_table(
        matched.counts,
        [(name, bool(seen) and name not in seen) for name in matched.classes],
        [(name, novel[name]) for name in matched.categories],
        matched.matched,
    )


def _by_site(samples: Samples, rows: NDArray[np.int64], order: list[str], novel: dict[str, bool]) -> HeatTable:
    held = Counter(zip(samples.site[rows].tolist(), samples.category[rows], strict=True))
    names = [name for name in order if name in samples.category[rows]]
    counts = np.array([[held[site, name] for name in names] for site in range(len(samples.sites))], dtype=np.int64)
    return heat_table(counts, [(site, False) for site in samples.sites], [(name, novel[name]) for name in names])
