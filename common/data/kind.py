"""What the application has to be told of a kind of data; ``common/data/kinds`` holds a module for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.description import Description
from common.data.options import ReadOptions

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from common.models.encoder import Encoder

View = Callable[["Tensor"], "Tensor"]
"""A random view of a batch of prepared samples, of the same shape."""


@dataclass(frozen=True, eq=False)
class TableRows:
    """n rows of a table, of Parquet or CSV, to make samples of.

    ``columns`` is a kind's own column alone, or the numeric columns; ``rows`` int64 [n] are the rows' numbers in the
    file, for messages; the paths that a column holds start at ``folder``.
    """

    columns: "pa.Table"
    rows: NDArray[np.int64]
    labels: tuple[str | None, ...]
    ids: tuple[str, ...]
    source: str
    folder: Path
    options: ReadOptions


@dataclass(frozen=True, kw_only=True, eq=False)
class DataKind:
    """A kind of data. By itself: one that only some methods can work on, in a form of their own, such as graphs."""

    name: str
    read_source: Callable[[Path, ReadOptions], Dataset | None] = lambda path, options: None
    """The data set in a file or folder that is of this kind whatever it holds; None where ``path`` is no such."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleKind(DataKind):
    """A kind of data whose samples ``Dataset.x`` holds, one a row: what every discovery method works on.

    Functions that need torch, PIL or pyarrow import them when they are called.
    """

    column: str
    """The column of a table that holds all of a sample; sites' files have it too."""
    is_column: Callable[["pa.DataType"], bool] = lambda column_type: True
    """Whether a column of that name and this type is meant."""
    from_table: Callable[[TableRows], Dataset]
    """The samples in the column. Raises InputError, in one sentence, for values that cannot be used."""
    to_column: Callable[[Dataset], tuple["pa.Array", Mapping[bytes, str]]]
    """The column that ``from_table`` reads back to the same samples, and metadata of the file's schema."""
    describe: Callable[[Dataset], Description]
    """What ``fedlpa data check`` says of the samples, beside labels and duplicates."""

    model: str
    """The name of the kind's own network in the setting ``model``."""
    build: Callable[[tuple[int, ...]], "Encoder"]
    """That network for samples of a shape; draws its first weights from torch's generator."""
    width: Callable[[tuple[int, ...]], int]
    """The width of its features for samples of a shape, without building it."""
    image_backbone: bool = False
    """Whether a pretrained image backbone may take its place."""
    prepare: Callable[["Tensor"], "Tensor"] | None = None
    """Raw samples [n, ...] -> float32 that views and the network work on, alike at every site. None: the samples are
    rows [n, d] of numbers in units of their own, and every column is standardised over the federation."""
    view: Callable[[float, bool], View]
    """Views of a strength above 0 (1 is strong) for the contrastive losses; the flag allows mirror images. A view draws
    from torch's generator."""

    @property
    def standardised(self) -> bool:
        """Whether the federation standardises the samples' columns, which takes a preparation round."""
        return self.prepare is None

    def make_view(self, strength: float, *, flip: bool = False) -> View:
        """The random view of prepared samples; the identity at ``strength`` 0, which draws nothing."""
        return self.view(strength, flip) if strength else lambda x: x
