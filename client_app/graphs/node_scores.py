"""Counting right predictions on a benchmark's columns (docs/evaluation.md#graph-columns)."""

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors, make_tensors
from client_app.graphs.node_data import graph_data
from client_app.method import Task
from common.methods.graph_common import COLUMNS, GraphOptions, is_scored
from common.wire.records import TRUTH, Records

Predictor = Callable[[GraphTensors, str], Tensor]
"""Scores [n, C] of every node of a graph, which is the site's 'seen' one, its 'whole' one, or 'new'."""

SEEN, WHOLE, NEW = "seen", "whole", "new"


def is_counted(task: Task[GraphOptions]) -> bool:
    """Whether the round's models are scored: in benchmarks, every so many rounds and at the end."""
    return graph_data(task).benchmark is not None and is_scored(task.config, task.plan)


def count_right(task: Task[GraphOptions], predictors: Mapping[str, Predictor]) -> Records:
    """The record of ``correct`` [predictors, columns, C] and ``total`` [columns, C], counts by true class.

    Seen and validation nodes are predicted on the graph that the site trained on, unseen nodes and missing classes
    on its whole graph, the held-out institution on its own.
    """
    part, new, classes = graph_data(task).benchmark, graph_data(task).held_out, len(task.config.seen_classes)
    assert part is not None
    assert new is not None
    graphs = {
        SEEN: make_tensors(part.x, part.edges, task.device),
        WHOLE: make_tensors(part.whole_x, part.whole_edges, task.device),
        NEW: make_tensors(new.whole_x, new.whole_edges, task.device),
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
    return {TRUTH: {"correct": correct, "total": total}}
