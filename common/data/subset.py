"""A random part of a data set's rows."""

import numpy as np
from numpy.typing import NDArray

from common.data.options import ReadOptions


def choose_rows(n: int, options: ReadOptions) -> NDArray[np.int64]:
    """Sorted row numbers int64: all n, or ``options.rows`` of them drawn without replacement."""
    if options.rows is None or options.rows >= n:
        return np.arange(n, dtype=np.int64)
    chosen = np.random.default_rng(options.rows_seed).permutation(n)[: options.rows]
    return np.sort(chosen).astype(np.int64)
