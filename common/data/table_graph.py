"""Tables as graphs (docs/fedlog.md#tables): rows are nodes, near rows are neighbours."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.graph import Graph, undirected
from common.data.graph_partition import ClientGraph, cut_groups
from common.data.kinds.vectors import VECTORS
from common.data.split import split_federation
from common.errors import InputError


def table_edges(x: NDArray[np.float32], k: int, reference: NDArray[np.float32] | None = None) -> NDArray[np.int64]:
    """int64 [2, E], both directions: every row and its ``k`` nearest by cosine.

    Columns are centred and scaled by the moments of ``reference`` [r, d] (default: ``x`` itself), so that a new row
    does not move the others.
    """
    import torch

    from common.discovery.similarity import similarity_graph

    base = x if reference is None or not len(reference) else reference
    mean, scale = base.mean(axis=0, dtype=np.float64), base.std(axis=0, dtype=np.float64)
    rows = (x - mean) / np.where(scale > 0, scale, 1.0)
    unit = torch.nn.functional.normalize(torch.from_numpy(rows.astype(np.float32)), dim=1)
    edges = similarity_graph(unit, k)
    return undirected(edges.source, edges.target, len(x))


def cut_table(
    dataset: Dataset, clients: int, alpha: float, seed: int, k: int
) -> tuple[tuple[ClientGraph, ...], tuple[str, ...]]:
    """Rows dealt to ``clients`` institutions and, last, a held-out one, class by class in Dirichlet proportions.

    Returns:
        the institutions, each with a similarity graph of its own rows; the class names.

    Raises:
        InputError: no vectors, too few rows or labels.
    """
    if dataset.kind != VECTORS.name:
        raise InputError(f"{dataset.source} holds {dataset.kind}; fedlog needs a graph, a table or embeddings.")
    split = split_federation(dataset, clients=clients + 1, alpha=alpha, seed=seed, labelled_fraction=1.0)
    names = dataset.classes
    if len(names) < 2:
        raise InputError(f"{dataset.source} has labels of {len(names)} classes; give rows of at least two.")
    if not len(split.sites[-1]):
        raise InputError(f"{dataset.source}: alpha={alpha:g} leaves no row to the held-out institution; raise it.")
    parts = cut_groups(table_nodes(dataset, names), list(split.sites), seed)
    return with_table_edges(parts, k), names


def table_nodes(dataset: Dataset, names: tuple[str, ...]) -> Graph:
    """The rows of a table as a graph without edges."""
    x, edges = dataset.x.astype(np.float32), np.zeros((2, 0), dtype=np.int64)
    return Graph(x, edges, dataset.codes(names), names, dataset.ids, dataset.source, {})


def with_table_edges(parts: tuple[ClientGraph, ...], k: int) -> tuple[ClientGraph, ...]:
    """Each institution with the similarity graphs of its seen and of all its rows."""
    return tuple(
        replace(part, edges=table_edges(part.x, k), whole_edges=table_edges(part.whole_x, k, part.x)) for part in parts
    )
