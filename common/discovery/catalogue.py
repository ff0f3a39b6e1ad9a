"""The catalogue: the federation's categories, one row of a cosine classifier each (docs/method.md#catalogue)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOVEL = "novel-"


@dataclass(frozen=True)
class Catalogue:
    """K categories of d features.

    ``rows`` float32 [K, d], unit; ``names`` int64 [K], index of a seen class or -1; ``numbers`` int64 [K], the
    lasting number of a novel category (``novel-<n>``), 0 for seen ones; ``counts`` int64 [K], samples behind it.
    ``linear`` float32 [K, d + 1], weights and bias of a linear head over centred unit features, where the
    federation shares category statistics.
    """

    rows: NDArray[np.float32]
    names: NDArray[np.int64]
    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    linear: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def labels(self, seen_classes: Sequence[str]) -> list[str]:
        """The text of every category: a seen class's name or ``novel-<n>``."""
        return category_labels(self.names, self.numbers, seen_classes)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name, as they are sent and stored."""
        arrays: dict[str, NDArray[np.generic]] = {
            "rows": self.rows,
            "names": self.names,
            "numbers": self.numbers,
            "counts": self.counts,
        }
        return arrays if self.linear is None else {**arrays, "linear": self.linear}

    @staticmethod
    def numbered(rows: NDArray[np.float32], names: NDArray[np.int64], counts: NDArray[np.int64]) -> "Catalogue":
        """A catalogue whose novel categories are numbered for the first time, by size."""
        return Catalogue(rows, names, number_by_size(names, counts), counts)

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> "Catalogue":
        """The inverse of ``arrays``; other names are ignored."""
        return Catalogue(
            rows=arrays["rows"].astype(np.float32),
            names=arrays["names"].astype(np.int64),
            numbers=arrays["numbers"].astype(np.int64),
            counts=arrays["counts"].astype(np.int64),
            linear=arrays["linear"].astype(np.float32) if "linear" in arrays else None,
        )


def category_labels(names: NDArray[np.int64], numbers: NDArray[np.int64], seen_classes: Sequence[str]) -> list[str]:
    """Texts of categories given by index of seen class (or -1) and novel number."""
    return [
        seen_classes[name] if name >= 0 else f"{NOVEL}{number}"
        for name, number in zip(names.tolist(), numbers.tolist(), strict=True)
    ]


def number_by_size(names: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers 1, 2, ... for the novel entries, largest first; 0 for seen ones."""
    numbers = np.zeros(len(names), dtype=np.int64)
    novel = np.flatnonzero(names < 0)
    numbers[novel[np.argsort(-counts[novel], kind="stable")]] = np.arange(1, len(novel) + 1)
    return numbers
