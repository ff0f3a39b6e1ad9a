"""Names of seen classes that a site has but never labels, borrowed (docs/method.md#borrowed-names).

Concepts are named by their labels, which takes for granted that labels are missing at random. A site that labels
nothing of a seen class breaks that: its samples of the class would stay a novel category. The federation's own row
of the class tells: unsplit rows of one class agree across sites at .97 and more.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client_app.discovery.concepts import Concepts, row_cosines


def borrow_names(
    concepts: Concepts,
    labels: NDArray[np.int64],
    rows_KD: Tensor,
    names_K: NDArray[np.int64],
    centre_D: Tensor,
    threshold: float,
) -> Concepts:
    """Name the unnamed concepts whose nearest row of the federation is a seen class that the site never labels.

    Args:
        labels: int64 [n], index of a seen class, -1 where unlabelled.
        rows_KD: the federation's category rows; ``names_K``: their seen classes, -1 where novel.
        threshold: centred cosine above which the name is taken.
    """
    if not len(concepts) or not len(names_K):
        return concepts
    cosine = row_cosines(concepts.prototypes, rows_KD, centre_D).cpu().numpy()
    nearest = cosine.argmax(axis=1)
    found = names_K[nearest]
    take = (concepts.names < 0) & (found >= 0) & (cosine.max(axis=1) > threshold) & ~np.isin(found, labels)
    return replace(concepts, names=np.where(take, found, concepts.names)) if take.any() else concepts
