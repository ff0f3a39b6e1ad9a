"""Counting right predictions on a benchmark's columns (docs/evaluation.md#graph-columns)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors, make_tensors
from client_app.graphs.node_data import GraphSiteData
from common.methods.graph_common import COLUMNS

Predictor = Callable[[GraphTensors, str], Tensor]
"""Scores [n, C] of every node of a graph, which is the site's 'seen' one, its 'whole' one, or 'new'."""

SEEN, WHOLE, NEW = "seen", "whole", "new"


def score_predictors(
    data: GraphSiteData, predictors: dict[str, Predictor], classes: int, device: str = "cpu"
) -> dict[str, NDArray[np.int64]]:
    """``correct`` [predictors, columns, C] and ``total`` [columns, C], counts by true class; benchmarks only.

    Seen and validation nodes are predicted on the graph that the site trained on, unseen nodes and missing classes
    on its whole graph, the held-out institution on its own.
    """
    part, new = data.benchmark, data.held_out
    assert part is not None
    assert new is not None
    graphs = {
        SEEN: make_tensors(part.x, part.edges, device),
        WHOLE: make_tensors(part.whole_x, part.whole_edges, device),
        NEW: make_tensors(new.whole_x, new.whole_edges, device),
    }
    cases = {
        "validation": (SEEN, part.validation, part.y),
        "seen": (SEEN, part.test, part.y),
        "unseen_node": (WHOLE, part.unseen_nodes, part.whole_y),
        "missing_class": (WHOLE, part.missing_classes, part.whole_y),
        "new_client": (NEW, new.whole_y >= 0, new.whole_y),
    }
    correct = np.zeros((len(predictors), len(COLUMNS), classes), dtype=np.int64)
    total = np.zeros((len(COLUMNS), classes), dtype=np.int64)
    for p, predict in enumerate(predictors.values()):
        chosen = {name: predict(graph, name).argmax(dim=1).cpu().numpy() for name, graph in graphs.items()}
        for c, column in enumerate(COLUMNS):
            where, mask, truth = cases[column]
            mask = mask & (truth >= 0)
            hit = chosen[where][mask] == truth[mask]
            correct[p, c] = np.bincount(truth[mask][hit], minlength=classes)
            total[c] = np.bincount(truth[mask], minlength=classes)
    return {"correct": correct, "total": total}
