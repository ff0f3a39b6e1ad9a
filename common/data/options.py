"""What a reader may be told about a data set."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError


@dataclass(frozen=True)
class ReadOptions:
    """How to read a data set; the defaults suit a file in the documented formats.

    ``label_optional``: a table without the label column is read as if none had been named.
    ``image_size``: side in pixels every image is resized to. ``rows``: take that many rows at random.
    Raises InputError for sizes below 1.
    """

    label_column: str = "label"
    image_size: int | None = None
    skip_bad_images: bool = False
    rows: int | None = None
    rows_seed: int = 0
    label_optional: bool = False

    def __post_init__(self) -> None:
        for name, value in (("image-size", self.image_size), ("rows", self.rows)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value} but must be at least 1; leave it out to keep the data as it is.")
        if self.rows_seed < 0:
            raise InputError(f"the seed {self.rows_seed} is negative; seeds are whole numbers from 0 up.")

    def choose_rows(self, n: int) -> NDArray[np.int64]:
        """Sorted row numbers int64: all n, or ``rows`` of them drawn without replacement."""
        if self.rows is None or self.rows >= n:
            return np.arange(n, dtype=np.int64)
        chosen = np.random.default_rng(self.rows_seed).permutation(n)[: self.rows]
        return np.sort(chosen).astype(np.int64)

    def for_columns(self, names: Collection[str]) -> "ReadOptions":
        """The same for a table with columns of these ``names``: without a label column that it may lack."""
        if self.label_optional and self.label_column not in names:
            return replace(self, label_column="label", label_optional=False)
        return self
