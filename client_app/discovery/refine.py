"""Labels refine the similarity graph: the same class pulls together, different classes do not touch."""

import numpy as np
from numpy.typing import NDArray

from common.discovery.similarity import Edges


def refine(edges: Edges, known: NDArray[np.int64]) -> Edges:
    """Cosine 1 between neighbours known to be of one class, no edge between different ones.

    Args:
        edges: similarity graph over n samples.
        known: int64 [n], class index, -1 where nothing reliable is known.
    """
    a, b = known[edges.source], known[edges.target]
    both = (a >= 0) & (b >= 0)
    return edges.where(~(both & (a != b)), np.where(both, edges.times, edges.weight))


def reliable_classes(cosines: NDArray[np.float32], labels: NDArray[np.int64], quantile: float) -> NDArray[np.int64]:
    """The seen class that each sample reliably has (docs/method.md#reliable-classes).

    A labelled sample has its label. An unlabelled one has the class the head predicts if its confidence
    exceeds the ``quantile`` of the confidences of *labelled* samples predicted as that class; otherwise -1.

    Args:
        cosines: [n, C_seen] cosines with the seen-class head.
        labels: int64 [n], -1 where unlabelled.
    """
    known = labels.copy()
    if cosines.shape[1] == 0:
        return known
    logits = cosines / 0.1
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    predicted, confidence = probability.argmax(axis=1), probability.max(axis=1)
    for c in range(cosines.shape[1]):
        reference = confidence[(labels >= 0) & (predicted == c)]
        if len(reference):
            known[(labels < 0) & (predicted == c) & (confidence > np.quantile(reference, quantile))] = c
    return known
