"""What a site can say about a model: by the truth in benchmarks, and without (docs/evaluation.md#signs-of-health)."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client_app.discovery.concepts import Concepts
from client_app.site_data import SiteData
from common.discovery.scores import count_matrix
from common.discovery.similarity import centred
from common.wire.records import TRUTH

TINY = 10
SILHOUETTE_SAMPLES = 2000


def count_truth(
    data: SiteData,
    predicted: NDArray[np.int64],
    k: int,
    classes: int,
    first: NDArray[np.int64] | None = None,
) -> dict[str, dict[str, NDArray[np.generic]]]:
    """In benchmarks the record of ``[k, classes]`` counts of predictions by truth over the unlabelled samples.

    Rows ``first`` come first, if given. Nothing where there is no truth.
    """
    if data.truth is None:
        return {}
    scored = data.labels < 0
    counts = count_matrix(predicted[scored], data.truth[scored], (k, classes))
    if first is not None:
        counts = counts[np.concatenate([first, np.setdiff1d(np.arange(k), first)])]
    return {TRUTH: {"counts": counts}}


def seen_accuracy(cosines_NC: Tensor, data: SiteData) -> float | None:
    """Accuracy of the seen-class head: in benchmarks on unlabelled samples of the C seen classes, at a real site on
    labelled samples that training never saw; None where there are none.
    """
    seen = cosines_NC.shape[1]
    answer = data.kept_labels if data.truth is None else np.where(data.labels < 0, data.truth, -1)
    scored = (answer >= 0) & (answer < seen)
    if not scored.any():
        return None
    predicted = cosines_NC.argmax(dim=1).cpu().numpy()
    return float((predicted[scored] == answer[scored]).mean())


def shares(category: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Share of each of ``k`` categories among n samples."""
    found: NDArray[np.float64] = np.bincount(category, minlength=k) / max(1, len(category))
    return found


def prior_drift(before: dict[str, float], now: dict[str, float]) -> float:
    """Total variation distance between two category shares by name, in [0, 1]."""
    names = sorted(before.keys() | now.keys())  # a set has another order in every process, and the sum other last bits
    return 0.5 * sum(abs(now.get(name, 0.0) - before.get(name, 0.0)) for name in names)


def health(z_ND: Tensor, centre_D: Tensor, concepts: Concepts, previous: Concepts | None) -> dict[str, float]:
    """Signs of a sound discovery that need no truth.

    ``stability``: adjusted Rand index with the previous discovery; ``silhouette``: mean silhouette on cosine
    distance (at most 2,000 samples); ``tiny-share``: share of samples in concepts of fewer than 10.
    """
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    signs = {"tiny-share": float((concepts.counts[concepts.assigned] < TINY).mean())}
    if previous is not None and len(previous.assigned) == len(concepts.assigned):
        signs["stability"] = float(adjusted_rand_score(previous.assigned, concepts.assigned))
    chosen = np.random.default_rng(0).permutation(len(z_ND))[:SILHOUETTE_SAMPLES]
    groups = len(np.unique(concepts.assigned[chosen]))
    if 2 <= groups < len(chosen):
        unit = centred(z_ND, centre_D).cpu().numpy()[chosen]
        signs["silhouette"] = float(silhouette_score(unit, concepts.assigned[chosen], metric="cosine"))
    return signs
