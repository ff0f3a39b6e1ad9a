"""Categories against true classes: counts, the best one-to-one match, and each category's majority class."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import sort_labels
from common.discovery.scores import match


@dataclass(frozen=True)
class Confusion:
    """``counts[i, j]``: samples of class ``classes[i]`` in category ``categories[j]``.

    The first ``matched`` rows and columns are matched to each other, so that the match is the diagonal.
    """

    classes: tuple[str, ...]
    categories: tuple[str, ...]
    counts: NDArray[np.int64]
    matched: int

    @property
    def share_right(self) -> float:
        """Share of the samples on the matched part of the diagonal."""
        right = np.trace(self.counts[: self.matched, : self.matched])
        return float(right / max(int(self.counts.sum()), 1))


def confusion(truth: Iterable[str | None], category: Iterable[str]) -> Confusion | None:
    """Count classes against categories and match them (Hungarian method); None where no truth is known.

    Rows are the matched classes in natural order, then the unmatched ones; columns follow the rows, and
    what is left over follows by size.
    """
    pairs = Counter((true, name) for true, name in zip(truth, category, strict=True) if true is not None)
    if not pairs:
        return None
    classes = list(sort_labels({true for true, _ in pairs}))
    names = list(sort_labels({name for _, name in pairs}))
    counts = np.array([[pairs[true, name] for name in names] for true in classes], dtype=np.int64)
    # A match of nothing is no match: it would put a zero on the diagonal.
    matched = {i: j for i, j in match(counts).items() if counts[i, j] > 0}
    row_order = sorted(range(len(classes)), key=lambda i: i not in matched)
    rest = [j for j in range(len(names)) if j not in matched.values()]
    column_order = [*matched.values(), *sorted(rest, key=lambda j: -int(counts[:, j].sum()))]
    return Confusion(
        classes=tuple(classes[i] for i in row_order),
        categories=tuple(names[j] for j in column_order),
        counts=counts[np.ix_(row_order, column_order)],
        matched=len(matched),
    )


def majority(truth: Iterable[str | None]) -> tuple[str | None, float | None]:
    """The most frequent true class of a category, and its share (purity); None where no truth is known."""
    counted = Counter(label for label in truth if label is not None)
    if not counted:
        return None, None
    true_class, samples = counted.most_common(1)[0]
    return true_class, samples / counted.total()
