"""A site's samples as the methods need them: tensors, label indices and, in benchmarks only, the truth."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.site import SimulatedSite, Site
from common.data.dataset import Dataset
from common.data.read import ReadOptions, read_dataset
from common.errors import InputError, nearest
from common.settings import AnyConfig


@dataclass(frozen=True)
class SiteData:
    """n samples of one site.

    ``x`` raw ``[n, ...]``; ``labels`` int64 [n], index of a seen class, -1 where unlabelled; ``truth`` int64 [n],
    index into the run's classes, -1 where unknown, None outside benchmarks. ``kept_labels`` int64 [n], labels that
    are kept from training and discovery to measure the seen classes by, -1 elsewhere.
    """

    ids: tuple[str, ...]
    x: Tensor
    labels: NDArray[np.int64]
    truth: NDArray[np.int64] | None
    fingerprint: str
    """Hash of samples, ids and labels: private state belongs to exactly this data."""
    kept_labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> dict[str, int]:
        """What a site reports of its data: the number of ``samples``, and how many of them are ``labelled``."""
        return {"samples": len(self), "labelled": int((self.labels >= 0).sum())}

    @property
    def measuring(self) -> int:
        """How many labels are kept from training, to measure by."""
        return int((self.kept_labels >= 0).sum())

    @property
    def links(self) -> NDArray[np.int64] | None:
        """``[2, E]``, links between samples that are part of the data; None where it has none."""
        return None

    @property
    def known_labels(self) -> NDArray[np.int64]:
        """Every label the site has, the held-out ones included."""
        return np.maximum(self.labels, self.kept_labels)


def load_samples(site: Site, config: AnyConfig) -> SiteData:
    """Read and check a site's samples against the run.

    Raises:
        InputError: unreadable data, another shape than the run's, or a label that the run does not know.
    """
    options = ReadOptions(
        label_column=config.label_column,
        image_size=config.image_size,
        skip_bad_images=config.skip_bad_images,
    )
    stamp = site.data.stat()
    if site.data.is_dir():  # the time of a folder says nothing about the files in it
        dataset = read_dataset(str(site.data), options)
    else:
        dataset = _read(str(site.data), options, stamp.st_mtime_ns, stamp.st_size)
    if dataset.kind != config.kind or dataset.sample_shape != config.sample_shape:
        raise InputError(
            f"{site.data} holds {dataset.kind} of shape {dataset.sample_shape}, the run expects {config.kind} of "
            f"shape {config.sample_shape}; give data of that shape or change the run."
        )
    labels = label_indices(dataset, config.seen_classes)
    truth = _truth(site, dataset, config.classes) if isinstance(site, SimulatedSite) and config.classes else None
    kept_labels = np.full(len(labels), -1, dtype=np.int64)
    if truth is None:
        chosen = _hold_out(dataset.ids, labels, config.holdout_fraction)
        kept_labels[chosen], labels[chosen] = labels[chosen], -1
    return SiteData(dataset.ids, torch.from_numpy(dataset.x), labels, truth, _fingerprint(dataset), kept_labels)


def _hold_out(ids: tuple[str, ...], labels: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Rows of labelled samples to measure by: the same samples whenever the data is read, wherever they stand."""
    labelled = np.flatnonzero(labels >= 0)
    ranks = [hashlib.sha256(ids[row].encode()).digest() for row in labelled]
    order = sorted(range(len(labelled)), key=ranks.__getitem__)
    return labelled[order[: int(fraction * len(labelled))]]


def label_indices(dataset: Dataset, seen_classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Index of every label among the seen classes, -1 where unlabelled.

    Raises:
        InputError: a label that is not a seen class.
    """
    for label in dataset.classes:
        if label not in seen_classes:
            raise InputError(
                f"{dataset.source} has the label '{label}', which is not a seen class of this run; "
                f"{nearest(label, seen_classes)} Remove the label or add the class to seen-classes."
            )
    return dataset.codes(seen_classes)


@lru_cache(maxsize=8)
def _read(path: str, options: ReadOptions, modified: int, size: int) -> Dataset:
    """Reading again only when the file changed: a simulation's workers serve many rounds."""
    return read_dataset(path, options)


def _truth(site: SimulatedSite, dataset: Dataset, classes: tuple[str, ...]) -> NDArray[np.int64] | None:
    from common.data.truth import read_truth

    if not site.truth.exists():
        return None
    known = read_truth(site.truth)
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index.get(known.get(i, ""), -1) for i in dataset.ids], dtype=np.int64)


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    digest.update(repr((dataset.ids, dataset.labels, dataset.x.shape, str(dataset.x.dtype))).encode())
    digest.update(np.ascontiguousarray(dataset.x).data)
    return digest.hexdigest()
