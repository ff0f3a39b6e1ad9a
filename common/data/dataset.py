"""What every part of the application sees of a data set, whatever file it came from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    ``kind`` names an entry of ``common.data.kind_registry``; it says what the rows of ``x`` are: uint8
    ``[n, channels, height, width]`` for images, float32 ``[n, d]`` for vectors.
    ``labels[i]`` is a class name, or None where the sample is unlabelled. ``ids`` are unique strings.
    """

    kind: str
    x: NDArray[np.generic]
    labels: tuple[str | None, ...]
    ids: tuple[str, ...]
    source: str
    columns: tuple[str, ...] = ()
    """Names of the numeric columns a table was read from; empty for an ``embedding`` column and images."""
    skipped: tuple[str, ...] = ()
    """One sentence for each sample left out (bad images, if the configuration allows skipping them)."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: ``(channels, height, width)`` or ``(d,)``."""
        return tuple(self.x.shape[1:])

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names that occur, in natural order (numbers by value, then text)."""
        return sort_labels({label for label in self.labels if label is not None})

    def take(self, rows: NDArray[np.int64]) -> "Dataset":
        """The samples at ``rows``, in that order."""
        labels, ids = tuple(self.labels[i] for i in rows), tuple(self.ids[i] for i in rows)
        return replace(self, x=self.x[rows], labels=labels, ids=ids, skipped=())

    def codes(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """int64 [n]: each label as an index into ``classes``, which holds them all; -1 where unlabelled."""
        place = {name: i for i, name in enumerate(classes)}
        return np.array([-1 if name is None else place[name] for name in self.labels], dtype=np.int64)


def sort_labels(labels: set[str]) -> tuple[str, ...]:
    """Class names in natural order: integers by value first, then text.

    >>> sort_labels({"10", "9", "cat"})
    ('9', '10', 'cat')
    """

    def key(label: str) -> tuple[int, int, str]:
        try:
            return (0, int(label), label)
        except ValueError:
            return (1, 0, label)

    return tuple(sorted(labels, key=key))
