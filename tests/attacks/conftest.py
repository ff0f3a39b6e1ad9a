"""Fixtures of the attacks: an institution on real files."""

from pathlib import Path

import numpy as np
import pytest

from common.data.dataset import Dataset
from tests.attacks.institution import Institution


@pytest.fixture
def digits() -> Dataset:
    """400 digits as rows of 64 numbers, a third labelled with the first five classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:400]
    labels = tuple(str(c) if c < 5 and n % 3 == 0 else None for n, c in enumerate(y[rows]))
    return Dataset("vectors", x[rows].astype(np.float32), labels, tuple(f"p{n}" for n in range(400)), "digits")


@pytest.fixture
def institution(flower_task: None, tmp_path: Path, digits: Dataset) -> Institution:
    """An institution with 400 rows of which one run of six rounds is approved."""
    return Institution(tmp_path / "north", digits, rounds=6)
