"""The sites of a simulation as folders, as if each institution had prepared its own."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.data.dataset import Dataset
from common.data.folder import build_folder
from common.data.parquet import write_dataset
from common.data.split import Split
from common.data.truth import write_truth


def site_dataset(dataset: Dataset, split: Split, site: int) -> Dataset:
    """What site number ``site`` holds: its samples, labels hidden where ``split`` hides them."""
    rows = split.sites[site]
    visible = tuple(
        dataset.labels[row] if shown else None
        for row, shown in zip(rows.tolist(), split.labelled[rows].tolist(), strict=True)
    )
    return replace(dataset.take(rows), labels=visible)


def materialise_sites(dataset: Dataset, split: Split, root: Path, sites: Iterable[int] | None = None) -> None:
    """Write ``root/site-<k>/data.parquet``, labels null where hidden, and ``truth.parquet`` for every site k.

    ``sites`` names some of them; None is all. The truth lists the samples whose class the data set knows. A site
    without samples gets an empty folder. ``root`` appears at once, complete; InputError if it is already there and
    not empty.
    """

    def fill(temporary: Path) -> None:
        for site in range(len(split.sites)) if sites is None else sites:
            rows = split.sites[site]
            folder = temporary / f"site-{site}"
            folder.mkdir()
            if len(rows):
                write_dataset(site_dataset(dataset, split, site), folder / "data.parquet")
                known = np.array([row for row in rows if dataset.labels[row] is not None], dtype=np.int64)
                whole = dataset.take(known)
                write_truth(whole.ids, whole.labels, None, folder / "truth.parquet")

    build_folder(root, fill)
