"""Graphs, ``.npz`` files: what graph methods work on; no set of samples, because nodes hang together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.data.dataset import Dataset
from common.data.description import Description, some
from common.data.graph import TRAIN, VALIDATION, Graph
from common.data.kind import DataKind
from common.data.options import ReadOptions
from common.errors import InputError

FEW = 3
"""Labelled nodes below which a class is not condensed (the default of ``min-group``)."""
BINS = (0, 1, 2, 3, 5, 10, 20, 50, 100)
"""Smallest degree of each bar of the histogram."""


@dataclass(frozen=True)
class GraphFacts:
    """Counts of nodes, undirected edges, isolated nodes; nodes by range of their degree, and in each mask."""

    nodes: int
    edges: int
    isolated: int
    labelled_share: float
    mean_degree: float
    degrees: dict[str, int]
    masks: dict[str, int]


def is_graph(path: Path) -> bool:
    """Whether a file is a graph, by its name."""
    return path.suffix.lower() == ".npz"


def graph_facts(graph: Graph) -> GraphFacts:
    """Count what there is."""
    degrees = np.bincount(graph.edges[1], minlength=len(graph))
    bars = np.histogram(degrees, bins=[*BINS, np.inf])[0]
    return GraphFacts(
        nodes=len(graph),
        edges=graph.edges.shape[1] // 2,
        isolated=int((degrees == 0).sum()),
        labelled_share=float((graph.labels >= 0).mean()),
        mean_degree=float(degrees.mean()),
        degrees={_range(i): int(count) for i, count in enumerate(bars) if count},
        masks={name: int(mask.sum()) for name, mask in sorted(graph.masks.items())},
    )


def describe_graph(graph: Graph, facts: GraphFacts, classes: dict[str, int]) -> Description:
    """What will be done with a graph, and what is worth knowing; ``classes`` counts its labelled nodes."""
    split = (
        f"The nodes of {TRAIN} train; the other labelled ones, or those of {VALIDATION}, are chosen by."
        if TRAIN in graph.masks
        else "Of every class four in seven labelled nodes train, the others are chosen by."
    )
    will = (
        f"A two-layer GraphSAGE learns from {graph.x.shape[1]} attributes a node (--method fedlog).",
        f"Edges count in both directions; at a site the classes are {some([n for n, k in classes.items() if k])}.",
        split,
    )
    return Description(will, (*_structure_warnings(graph, facts), *_class_warnings(classes), *_node_warnings(graph)))


def _structure_warnings(graph: Graph, facts: GraphFacts) -> list[str]:
    if len(graph) == 1:
        return ["There is one node: nothing to choose by, and no neighbours."]
    if not facts.edges:
        return ["There is no edge: every node is judged by its own attributes alone."]
    if facts.isolated:
        return [f"{facts.isolated} nodes have no neighbour and are judged by their own attributes alone."]
    return []


def _class_warnings(classes: dict[str, int]) -> list[str]:
    found = []
    absent = [name for name, count in classes.items() if not count]
    few = [name for name, count in classes.items() if 0 < count < FEW]
    if absent:
        found.append(f"No node is labelled {some(absent)}: the site learns of it from the others only.")
    if few:
        found.append(f"Fewer than {FEW} labelled nodes of {some(few)}: they are not condensed, nobody learns of them.")
    if len(classes) - len(absent) == 1:
        found.append("All labels are of one class: a simulation needs at least two.")
    return found


def _node_warnings(graph: Graph) -> list[str]:
    found = []
    train, validation = graph.masks.get(TRAIN), graph.masks.get(VALIDATION)
    if train is not None and validation is not None and (train & validation).any():
        both = int((train & validation).sum())
        found.append(f"{both} nodes are in both {TRAIN} and {VALIDATION}: they train, and nothing is chosen by them.")
    constant = int((graph.x == graph.x[0]).all(axis=0).sum()) if len(graph) > 1 else 0
    if constant:
        found.append(f"{constant} attributes are the same at every node and carry no information.")
    return found


def _range(i: int) -> str:
    low = BINS[i]
    if i + 1 == len(BINS):
        return f"{low} or more"
    return str(low) if BINS[i + 1] == low + 1 else f"{low} to {BINS[i + 1] - 1}"


def _refuse_samples(path: Path, options: ReadOptions) -> Dataset | None:
    if is_graph(path):
        raise InputError(f"{path} holds a graph; graphs need --method fedlog.")
    return None


GRAPHS = DataKind(name="graph", read_source=_refuse_samples)
