"""The categories a site works with: the federation's catalogue where it is shared, else its own concepts."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.discovery.concepts import Concepts, nearest_row
from client_app.method import Task
from common.discovery.catalogue import Catalogue, category_labels, number_by_size
from common.discovery.posterior import log_prior_of
from common.methods.discovery_common import CATALOGUE, MOST_CATEGORIES
from common.methods.fedlpa.spec import FedLPAOptions

OWN = "own"
"""In the catalogue record: the category of each row that this site sent at its last discovery."""


@dataclass(frozen=True)
class Categories:
    """K categories as rows, and the category of each of the site's n samples."""

    rows_KD: Tensor
    assigned: NDArray[np.int64]
    names: NDArray[np.int64]
    numbers: NDArray[np.int64]
    centre_D: Tensor
    linear_KE: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def nearest(self, z_ND: Tensor) -> NDArray[np.int64]:
        """The nearest category of every sample by centred cosine, [n]."""
        return nearest_row(z_ND, self.rows_KD, self.centre_D)

    @property
    def counts(self) -> NDArray[np.int64]:
        """The site's samples in each category, [K]."""
        return np.bincount(self.assigned, minlength=len(self)).astype(np.int64)

    def log_prior(self) -> Tensor:
        """Log share of each category among the site's samples, ``[K]``."""
        return log_prior_of(torch.from_numpy(self.counts))

    def catalogue(self) -> Catalogue:
        """As they are stored with a model; counts are the site's own."""
        return Catalogue(
            rows=self.rows_KD.cpu().numpy(),
            names=self.names,
            numbers=self.numbers,
            counts=self.counts,
            linear=None if self.linear_KE is None else self.linear_KE.cpu().numpy(),
        )

    def labels(self, seen_classes: tuple[str, ...]) -> list[str]:
        """The text of every category."""
        return category_labels(self.names, self.numbers, seen_classes)


def sendable(concepts: Concepts, min_support: int) -> NDArray[np.int64]:
    """The concepts with enough samples behind them for their rows to leave the site; the largest if too many."""
    largest = np.argsort(-concepts.counts, kind="stable")[:MOST_CATEGORIES]
    return np.sort(largest[concepts.counts[largest] >= min_support])


def categories_of(
    task: Task[FedLPAOptions], concepts: Concepts | None, z_ND: Tensor, centre_D: Tensor
) -> Categories | None:
    """The catalogue of the server's message, with the site's samples placed in it; else the site's concepts.

    Fresh concepts of a discovery round are not in the catalogue yet: then they themselves are the categories.
    None before the first discovery.
    """
    shared = task.records.get(CATALOGUE)
    if shared is not None and len(shared["names"]) and not task.plan.discover:
        catalogue = Catalogue.from_arrays(shared)
        rows = torch.from_numpy(catalogue.rows).to(z_ND.device)
        own = shared[OWN].astype(np.int64)
        support = task.config.options.min_support
        assigned = _placed(concepts, own, rows, z_ND, centre_D, support)
        linear = None if catalogue.linear is None else torch.from_numpy(catalogue.linear).to(z_ND.device)
        return Categories(rows, assigned, catalogue.names, catalogue.numbers, centre_D, linear)
    if concepts is None:
        return None
    numbers = number_by_size(concepts.names, concepts.counts)
    rows = concepts.prototypes.to(z_ND.device)
    return Categories(rows, concepts.assigned, concepts.names, numbers, centre_D)


def _placed(
    concepts: Concepts | None,
    own: NDArray[np.int64],
    rows_KD: Tensor,
    z_ND: Tensor,
    centre_D: Tensor,
    min_support: int,
) -> NDArray[np.int64]:
    """Category of every sample: through its concept where the server matched it, else the nearest row."""
    if concepts is None:
        return nearest_row(z_ND, rows_KD, centre_D)
    by_concept = nearest_row(concepts.prototypes.to(z_ND.device), rows_KD, centre_D)
    sent = sendable(concepts, min_support)
    if len(sent) == len(own):
        by_concept[sent] = own
    return by_concept[concepts.assigned]
