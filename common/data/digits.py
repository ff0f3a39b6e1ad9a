"""The embedded data set: scikit-learn's handwritten digits, nothing downloaded."""

from pathlib import Path

import numpy as np

from common.data.dataset import Dataset
from common.data.image_decoding import KIND, resize_images
from common.data.options import ReadOptions


def is_digits(source: str) -> bool:
    """Whether ``source`` names the digits rather than a file or folder of that name."""
    return source == "digits" and not Path(source).exists()


def read_digits(options: ReadOptions) -> Dataset:
    """1,797 grey images uint8 ``[n, 1, 8, 8]`` of the classes "0" to "9"."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = options.choose_rows(len(digits.target))
    x = np.round(digits.images[rows, None] * (255 / 16)).astype(np.uint8)
    return Dataset(
        kind=KIND,
        x=x if options.image_size is None else resize_images(x, options.image_size),
        labels=tuple(str(label) for label in digits.target[rows].tolist()),
        ids=tuple(str(row) for row in rows.tolist()),
        source="digits",
    )
