"""A site's samples as the methods need them: tensors, label indices and, in benchmarks only, the truth."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.site import Site
from common.config import RunConfig
from common.data.dataset import Dataset
from common.data.read import ReadOptions, read_dataset
from common.errors import InputError, nearest


@dataclass(frozen=True)
class SiteData:
    """n samples of one site.

    ``x`` raw ``[n, ...]``; ``labels`` int64 [n], index of a seen class, -1 where unlabelled; ``truth`` int64 [n],
    index into the run's classes, -1 where unknown, None outside benchmarks.
    """

    ids: tuple[str, ...]
    x: Tensor
    labels: NDArray[np.int64]
    truth: NDArray[np.int64] | None
    fingerprint: str
    """Hash of samples, ids and labels: private state belongs to exactly this data."""

    def __len__(self) -> int:
        return len(self.ids)


def load_site_data(site: Site, config: RunConfig) -> SiteData:
    """Read and check a site's data against the run.

    Raises:
        InputError: unreadable data, another shape than the run's, or a label that the run does not know.
    """
    options = ReadOptions(
        label_column=site.label_column or config.label_column,
        image_size=config.image_size,
        skip_bad_images=config.skip_bad_images,
    )
    stamp = site.data.stat()
    dataset = _read(str(site.data), options, stamp.st_mtime_ns, stamp.st_size)
    if dataset.kind != config.kind or dataset.sample_shape != config.sample_shape:
        raise InputError(
            f"{site.data} holds {dataset.kind} of shape {dataset.sample_shape}, the run expects {config.kind} of "
            f"shape {config.sample_shape}; give data of that shape or change the run."
        )
    labels = label_indices(dataset, config.seen_classes)
    truth = None
    if site.truth is not None and config.classes:
        truth = _truth(site, dataset, config.classes)
    return SiteData(dataset.ids, torch.from_numpy(dataset.x), labels, truth, _fingerprint(dataset))


def label_indices(dataset: Dataset, seen_classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Index of every label among the seen classes, -1 where unlabelled.

    Raises:
        InputError: a label that is not a seen class.
    """
    index = {name: i for i, name in enumerate(seen_classes)}
    for label in dataset.classes:
        if label not in index:
            raise InputError(
                f"{dataset.source} has the label '{label}', which is not a seen class of this run; "
                f"{nearest(label, index)} Remove the label or add the class to seen-classes."
            )
    return np.array([-1 if label is None else index[label] for label in dataset.labels], dtype=np.int64)


@lru_cache(maxsize=8)
def _read(path: str, options: ReadOptions, modified: int, size: int) -> Dataset:
    """Reading again only when the file changed: a simulation's workers serve many rounds."""
    return read_dataset(path, options)


def _truth(site: Site, dataset: Dataset, classes: tuple[str, ...]) -> NDArray[np.int64]:
    from common.data.write import read_truth

    assert site.truth is not None
    known = read_truth(site.truth)
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index.get(known.get(i, ""), -1) for i in dataset.ids], dtype=np.int64)


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    digest.update(repr((dataset.ids, dataset.labels, dataset.x.shape, str(dataset.x.dtype))).encode())
    digest.update(np.ascontiguousarray(dataset.x).data)
    return digest.hexdigest()
