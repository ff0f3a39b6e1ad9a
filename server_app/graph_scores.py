"""Accuracies of graph methods from the sites' counts of right predictions (docs/evaluation.md#graph-columns)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.methods.graph_common import COLUMNS
from common.settings import AnyConfig

GraphCounts = Mapping[str, NDArray[np.int64]]
"""A site's ``correct`` [predictors, columns, C] and ``total`` [columns, C]."""


def column_scores(counts: Mapping[str, GraphCounts], predictor: int) -> dict[str, float | None]:
    """Accuracy of one predictor by column, every scored node of every site alike; None where nothing is scored."""
    scores: dict[str, float | None] = {}
    for c, column in enumerate(COLUMNS):
        total = sum(int(each["total"][c].sum()) for each in counts.values())
        right = sum(int(each["correct"][predictor, c].sum()) for each in counts.values())
        scores[column] = right / total if total else None
    return scores


def all_scores(counts: Mapping[str, GraphCounts], predictors: tuple[str, ...], config: AnyConfig) -> dict[str, Any]:
    """The first predictor's columns; every predictor's under ``by_model``; the first's by site and by class."""
    return {
        **column_scores(counts, 0),
        "by_model": {name: column_scores(counts, p) for p, name in enumerate(predictors)},
        "by_site": {site: column_scores({site: each}, 0) for site, each in sorted(counts.items())},
        "by_class": {name: column_scores(_of_class(counts, k), 0) for k, name in enumerate(config.classes)},
    }


def _of_class(counts: Mapping[str, GraphCounts], k: int) -> dict[str, GraphCounts]:
    return {site: {name: array[..., k : k + 1] for name, array in each.items()} for site, each in counts.items()}
