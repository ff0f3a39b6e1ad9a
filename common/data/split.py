"""The simulation's split: who holds which sample, and who gets to see its label."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset, sort_labels
from common.errors import InputError, nearest

_EVEN = 1e6  # an alpha beyond this is an even split already, and numpy's sampler overflows near 1e308


@dataclass(frozen=True, eq=False)
class Split:
    """A data set of n samples spread over sites.

    ``sites[k]``: sorted row numbers int64 of site k, possibly none; ``labelled``: bool ``[n]``, whose label
    is visible; ``seen``: class names everybody knows; ``classes``: these, then the novel ones.
    """

    sites: tuple[NDArray[np.int64], ...]
    labelled: NDArray[np.bool_]
    seen: tuple[str, ...]
    classes: tuple[str, ...]


def split_federation(
    dataset: Dataset,
    *,
    clients: int,
    alpha: float,
    seed: int,
    seen_classes: tuple[str, ...] = (),
    labelled_fraction: float = 0.5,
) -> Split:
    """Split ``dataset`` over ``clients`` sites, class by class in Dirichlet(``alpha``) proportions.

    Seen classes are the first half in natural order unless given. Of each, ``labelled_fraction`` (rounded,
    at least one sample unless it is 0) is labelled. Samples whose label the file does not hold are spread
    evenly and stay unlabelled; a file without labels has no classes. The same arguments give the same split.

    Raises:
        InputError: arguments out of range, unknown classes, or data that cannot be split.
    """
    _check(dataset, clients, alpha, seed, labelled_fraction)
    seen = choose_seen(dataset.classes, seen_classes, dataset.source)
    classes = seen + tuple(name for name in dataset.classes if name not in seen)
    truth = dataset.codes(classes)
    dealing, labelling, spreading = (np.random.default_rng([seed, purpose]) for purpose in range(3))

    shuffled = dealing.permutation(np.flatnonzero(truth >= 0))
    parts = _deal(shuffled, truth[shuffled], clients, min(alpha, _EVEN), seed)
    unknown = spreading.permutation(np.flatnonzero(truth < 0))
    spread = [unknown[k::clients] for k in spreading.permutation(clients)]
    sites = tuple(np.sort(np.concatenate(both)) for both in zip(parts, spread, strict=True))

    labelled = np.zeros(len(dataset), dtype=np.bool_)
    for code in range(len(seen)):
        members = np.flatnonzero(truth == code)
        count = math.floor(labelled_fraction * len(members) + 0.5)
        if labelled_fraction > 0:
            count = max(1, count)
        labelled[labelling.permutation(members)[:count]] = True
    return Split(sites, labelled, seen, classes)


def pool_sites(split: Split, sites: int) -> Split:
    """The same split with the first ``sites`` sites merged into one; the others stay as they are."""
    together = np.sort(np.concatenate(split.sites[:sites]))
    return replace(split, sites=(together, *split.sites[sites:]))


def without_labels(split: Split, sites: Iterable[int]) -> Split:
    """The same split with no label visible at ``sites``."""
    labelled = split.labelled.copy()
    for site in sites:
        labelled[split.sites[site]] = False
    return replace(split, labelled=labelled)


def choose_seen(classes: tuple[str, ...], asked: tuple[str, ...], source: str) -> tuple[str, ...]:
    """The seen classes in natural order: ``asked``, or else the first half of ``classes``.

    Raises InputError if one asked for is not among ``classes``.
    """
    if not classes and asked:
        raise InputError(f"{source} holds no labels, so '{asked[0]}' cannot be a seen class; leave seen-classes out.")
    for name in asked:
        if name not in classes:
            raise InputError(f"{source} has no class '{name}' to be a seen class; {nearest(name, classes)}")
    return sort_labels(set(asked)) if asked else classes[: max(1, len(classes) // 2)]


def _deal(
    rows: NDArray[np.int64], classes: NDArray[np.int64], clients: int, alpha: float, seed: int
) -> list[NDArray[np.int64]]:
    """``rows`` in one part a client. The partitioner slices every class in the order it gets it."""
    if len(rows) < clients:
        return [rows[k::clients] for k in range(clients)]
    from datasets import Dataset as Table
    from flwr_datasets.partitioner import DirichletPartitioner

    partitioner = DirichletPartitioner(
        num_partitions=clients,
        partition_by="label",
        alpha=float(alpha),
        min_partition_size=0,
        self_balancing=False,
        shuffle=False,
        seed=seed,
    )
    partitioner.dataset = Table.from_dict({"label": classes, "row": rows}).with_format("numpy")
    return [np.asarray(partitioner.load_partition(k)["row"][:], dtype=np.int64) for k in range(clients)]


def _check(dataset: Dataset, clients: int, alpha: float, seed: int, labelled_fraction: float) -> None:
    n = len(dataset)
    source = dataset.source
    if not (math.isfinite(alpha) and alpha > 0):
        raise InputError(f"alpha is {alpha} but must be a number above 0; 0.2 is strongly uneven, 100 even.")
    if not 0 <= labelled_fraction <= 1:
        raise InputError(f"the labelled fraction is {labelled_fraction} but must lie between 0 and 1.")
    if seed < 0:
        raise InputError(f"the seed {seed} is negative; seeds are whole numbers from 0 up.")
    if clients < 1:
        raise InputError(f"{clients} clients make no federation; ask for at least 1.")
    if n < 2:
        raise InputError(f"{source} holds one sample, which cannot be split; a simulation needs at least 2.")
    if clients > n:
        raise InputError(f"{source} holds {n} samples, too few for {clients} clients; ask for at most {n}.")
