"""``fedlpa data check`` on a graph: what a FedLoG site would see in it, what will be done with it, what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np

from common.data.graph import TRAIN, VALIDATION, Graph, read_graph
from common.errors import InputError
from fedlpa.data_check import DataReport, some

FEW = 3
"""Labelled nodes below which a class is not condensed (the default of ``min-group``)."""
BINS = (0, 1, 2, 3, 5, 10, 20, 50, 100)
"""Smallest degree of each bar of the histogram."""


def check_graph(path: str) -> DataReport:
    """Read the graph at ``path`` and report on it; what no site could train on becomes a report that is not ``ok``."""
    try:
        graph = read_graph(Path(path))
        _check_trainable(graph)
    except InputError as error:
        return DataReport(source=path, ok=False, problems=(str(error),))
    names, labels = graph.class_names, graph.labels
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    classes = {name: int(count) for name, count in zip(names, counts, strict=True)}
    labelled = int(counts.sum())
    return DataReport(
        source=path,
        ok=True,
        kind="graph",
        samples=len(graph),
        sample_shape=(graph.x.shape[1],),
        labelled=labelled,
        unlabelled=len(graph) - labelled,
        classes=classes,
        duplicates=len(graph) - len(np.unique(graph.x, axis=0)),
        warnings=_warnings(graph, classes),
        will=_will(graph, classes),
        graph=graph_facts(graph),
    )


def graph_facts(graph: Graph) -> dict[str, Any]:
    """Counts of nodes, undirected edges, isolated nodes; the labelled share; degrees by range; nodes in each mask."""
    degrees = np.bincount(graph.edges[1], minlength=len(graph))
    bars = np.histogram(degrees, bins=[*BINS, np.inf])[0]
    return {
        "nodes": len(graph),
        "edges": graph.edges.shape[1] // 2,
        "isolated": int((degrees == 0).sum()),
        "labelled_share": float((graph.labels >= 0).mean()),
        "mean_degree": float(degrees.mean()),
        "degrees": {_range(i): int(count) for i, count in enumerate(bars) if count},
        "masks": {name: int(mask.sum()) for name, mask in sorted(graph.masks.items())},
    }


def _range(i: int) -> str:
    low = BINS[i]
    if i + 1 == len(BINS):
        return f"{low} or more"
    return str(low) if BINS[i + 1] == low + 1 else f"{low} to {BINS[i + 1] - 1}"


def _check_trainable(graph: Graph) -> None:
    if not (graph.labels >= 0).any():
        raise InputError(f"{graph.source} holds no label; a site needs labelled nodes to train on.")
    if TRAIN in graph.masks and not graph.masks[TRAIN].any():
        raise InputError(
            f"{graph.source}: {TRAIN} marks no node; mark the labelled nodes to train on, or leave it out."
        )


def _warnings(graph: Graph, classes: dict[str, int]) -> tuple[str, ...]:
    found = []
    facts = graph_facts(graph)
    if len(graph) == 1:
        found.append("There is one node: nothing to choose by, and no neighbours.")
    elif not facts["edges"]:
        found.append("There is no edge: every node is judged by its own attributes alone.")
    elif facts["isolated"]:
        found.append(f"{facts['isolated']} nodes have no neighbour and are judged by their own attributes alone.")
    absent = [name for name, count in classes.items() if not count]
    few = [name for name, count in classes.items() if 0 < count < FEW]
    if absent:
        found.append(f"No node is labelled {some(absent)}: the site learns of it from the others only.")
    if few:
        found.append(f"Fewer than {FEW} labelled nodes of {some(few)}: they are not condensed, nobody learns of them.")
    if len(classes) - len(absent) == 1:
        found.append("All labels are of one class: a simulation needs at least two.")
    train, validation = graph.masks.get(TRAIN), graph.masks.get(VALIDATION)
    if train is not None and validation is not None and (train & validation).any():
        both = int((train & validation).sum())
        found.append(f"{both} nodes are in both {TRAIN} and {VALIDATION}: they train, and nothing is chosen by them.")
    constant = int((graph.x == graph.x[0]).all(axis=0).sum()) if len(graph) > 1 else 0
    if constant:
        found.append(f"{constant} attributes are the same at every node and carry no information.")
    return tuple(found)


def _will(graph: Graph, classes: dict[str, int]) -> tuple[str, ...]:
    split = (
        f"The nodes of {TRAIN} train; the other labelled ones, or those of {VALIDATION}, are chosen by."
        if TRAIN in graph.masks
        else "Of every class four in seven labelled nodes train, the others are chosen by."
    )
    return (
        f"A two-layer GraphSAGE learns from {graph.x.shape[1]} attributes a node (--method fedlog).",
        f"Edges count in both directions; at a site the classes are {some([n for n, k in classes.items() if k])}.",
        split,
    )
