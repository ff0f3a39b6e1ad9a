"""Category statistics: sums and a scatter matrix, for a linear discriminant (docs/method.md#category-statistics).

They are statistics of private features, not weights: a site sends them only where its policy names the record.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.discovery.concepts import Concepts
from common.discovery.similarity import centred
from common.methods.fedlpa.statistics_record import STATISTICS_SUPPORT


def category_statistics(
    z_ND: Tensor, centre_D: Tensor, concepts: Concepts, sent: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    """Sums, counts and within-concept scatter of centred unit features over the ``sent`` concepts.

    A concept of fewer than 10 samples contributes nothing: its sum and count are 0.

    Returns:
        ``sums`` float32 [m, d], ``counts`` int64 [m], ``scatter`` float32 [d, d].
    """
    unit_ND = centred(z_ND, centre_D).double().cpu()
    sums = torch.zeros(len(sent), unit_ND.shape[1], dtype=torch.float64)
    counts = np.zeros(len(sent), dtype=np.int64)
    scatter = torch.zeros(unit_ND.shape[1], unit_ND.shape[1], dtype=torch.float64)
    for row, concept in enumerate(sent):
        if concepts.counts[concept] < STATISTICS_SUPPORT:
            continue
        members = unit_ND[torch.as_tensor(concepts.assigned == concept)]
        sums[row], counts[row] = members.sum(dim=0), len(members)
        spread = members - members.mean(dim=0)
        scatter += spread.T @ spread
    return {"sums": sums.float().numpy(), "counts": counts, "scatter": scatter.float().numpy()}
