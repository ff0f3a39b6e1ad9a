"""The sites' samples of a simulation: predictions, truth, and the few samples that are drawn.

Only a simulation has them all in one place. One site's data is in memory at a time.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.errors import InputError
from common.run.predictions import FILE, SitePredictions, read_predictions
from fedlpa.report.run_reading import natural

MAP_SAMPLES = 1500
"""At most so many samples are drawn on the map: t-SNE of more takes minutes."""
SHOWN_PER_CATEGORY = 12
_FILES = ("data.parquet", "truth.parquet", FILE)


@dataclass(frozen=True)
class Samples:
    """All predicted samples of all sites; ``n`` long arrays, and the data of those that are drawn.

    ``category`` and ``truth`` hold names, ``truth`` None where it is not known. ``map_data`` has the samples at
    ``map_rows``. ``pictures`` maps rows to images, uint8 ``[channels, height, width]``.
    """

    sites: tuple[str, ...]
    site: NDArray[np.int64]
    ids: tuple[str, ...]
    category: NDArray[np.object_]
    truth: NDArray[np.object_]
    novel: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    map_rows: NDArray[np.int64]
    map_data: Dataset
    pictures: dict[int, NDArray[np.uint8]]
    incomplete: tuple[str, ...]
    """Sites left out because one of their three files is missing."""

    def __len__(self) -> int:
        return len(self.ids)


def read_samples(run: Path) -> Samples | None:
    """Read ``run/sites``; None where there is none, as in a real deployment."""
    folders = sorted((run / "sites").glob("*/"), key=lambda folder: natural(folder.name))
    complete = [folder for folder in folders if all((folder / name).is_file() for name in _FILES)]
    predictions = [read_predictions(folder / FILE) for folder in complete]
    if not any(part.ids for part in predictions):
        return None
    from common.data.read import read_dataset
    from common.data.truth import read_truth

    quotas = _even_quotas([len(part.ids) for part in predictions], MAP_SAMPLES)
    random = np.random.default_rng(0)
    truth: list[str | None] = []
    labelled: list[bool] = []
    map_rows: list[int] = []
    map_data: list[Dataset] = []
    pictures: dict[int, NDArray[np.uint8]] = {}
    for folder, part, quota in zip(complete, predictions, quotas, strict=True):
        start = len(truth)
        data = read_dataset(str(folder / "data.parquet"))
        rows = _rows_of(part.ids, data.ids, folder)
        true_class = read_truth(folder / "truth.parquet")
        truth += [true_class.get(sample) for sample in part.ids]
        labelled += [data.labels[row] is not None for row in rows]
        drawn = np.sort(random.permutation(len(part.ids))[:quota])
        map_rows += [start + int(index) for index in drawn]
        map_data.append(data.take(rows[drawn]))
        if data.kind == "images":
            for index in _most_confident(part, labelled[start:]):
                pictures[start + index] = data.x[rows[index]].astype(np.uint8)
    return Samples(
        sites=tuple(folder.name for folder in complete),
        site=np.repeat(np.arange(len(complete)), [len(part.ids) for part in predictions]).astype(np.int64),
        ids=tuple(sample for part in predictions for sample in part.ids),
        category=np.concatenate([part.categories for part in predictions]),
        truth=np.array(truth, dtype=np.object_),
        novel=np.concatenate([part.novel for part in predictions]),
        confidence=np.concatenate([part.confidence for part in predictions]),
        labelled=np.array(labelled, dtype=np.bool_),
        map_rows=np.array(map_rows, dtype=np.int64),
        map_data=_join(map_data),
        pictures=pictures,
        incomplete=tuple(folder.name for folder in folders if folder not in complete),
    )


def _rows_of(predicted: list[str], ids: tuple[str, ...], folder: Path) -> NDArray[np.int64]:
    """Where the ``predicted`` samples stand in ``ids``."""
    rows = {sample: row for row, sample in enumerate(ids)}
    try:
        return np.array([rows[sample] for sample in predicted], dtype=np.int64)
    except KeyError as error:
        raise InputError(
            f"{folder / FILE} names sample {error}, which data.parquet beside it lacks; "
            "the two belong to different runs."
        ) from error


def _even_quotas(sizes: list[int], total: int) -> list[int]:
    """How many samples each site gives: the same number each, small sites all they have."""
    quotas = [0] * len(sizes)
    left = total
    for done, site in enumerate(sorted(range(len(sizes)), key=lambda index: sizes[index])):
        quotas[site] = min(sizes[site], left // (len(sizes) - done))
        left -= quotas[site]
    return quotas


def _most_confident(part: SitePredictions, labelled: list[bool]) -> list[int]:
    """The most confident unlabelled samples of each category, as many as one page row shows."""
    taken: Counter[str] = Counter()
    chosen: list[int] = []
    for index in np.argsort(-np.nan_to_num(part.confidence), kind="stable").tolist():
        name = part.categories[index]
        if not labelled[index] and taken[name] < SHOWN_PER_CATEGORY:
            taken[name] += 1
            chosen.append(index)
    return chosen


def _join(parts: list[Dataset]) -> Dataset:
    return Dataset(
        kind=parts[0].kind,
        x=np.concatenate([part.x for part in parts]),
        labels=tuple(label for part in parts for label in part.labels),
        ids=tuple(f"{index}/{sample}" for index, part in enumerate(parts) for sample in part.ids),
        source="the sites of the run",
        columns=parts[0].columns,
    )
