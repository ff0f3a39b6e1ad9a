"""A graph cut into the subgraphs of N clients and one held-out institution (docs/evaluation.md#graph-partitions)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.data.graph import Graph, undirected
from common.errors import InputError

SHARES = (0.4, 0.3, 0.3)
"""Train, validation and test shares of a class's nodes on the seen graph."""
UNSEEN_SHARE = 0.15
HIDDEN_CLASSES = 2


@dataclass(frozen=True, eq=False)
class ClientGraph:
    """One institution of a benchmark, with the truth.

    The *seen* graph has n nodes: ``x`` float32 [n, F], ``edges`` int64 [2, E] (both directions), ``y`` int64 [n],
    masks bool [n]. The *whole* graph has m >= n nodes, the first n of them the seen ones; ``unseen_nodes`` and
    ``missing_classes`` (bool [m]) mark the nodes that are scored as such. ``ids``: row of each of the m nodes in the
    graph that was cut.
    """

    classes: int
    hidden: NDArray[np.int64]
    x: NDArray[np.float32]
    edges: NDArray[np.int64]
    y: NDArray[np.int64]
    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]
    whole_x: NDArray[np.float32]
    whole_edges: NDArray[np.int64]
    whole_y: NDArray[np.int64]
    unseen_nodes: NDArray[np.bool_]
    missing_classes: NDArray[np.bool_]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)


def partition_graph(graph: Graph, clients: int, seed: int) -> tuple[ClientGraph, ...]:
    """Cut ``graph`` into ``clients`` subgraphs and, last, the held-out one.

    Louvain communities are merged, largest first, onto the smallest group; edges between groups are dropped. At each
    client two classes are hidden (fewer where a group has fewer than four), 15 % of the other nodes are unseen, and
    the rest is the seen graph, split 40/30/30 per class. Nodes without a label stay in the graphs and are in no mask.

    Raises:
        InputError: too few nodes, communities, labels or classes for that many clients.
    """
    _check(graph, clients)
    communities = louvain_communities(graph, seed)
    if len(communities) <= clients:
        raise InputError(
            f"{graph.source} falls into {len(communities)} communities, too few for {clients} clients and a held-out "
            "institution; ask for fewer clients, or give a partition with --set partition=DIR."
        )
    groups = balanced_groups(communities, clients + 1)
    rng = np.random.default_rng([seed, clients])
    order = rng.permutation(clients + 1)
    return cut_groups(graph, [groups[i] for i in order], seed)


def cut_groups(
    graph: Graph, groups: list[NDArray[np.int64]], seed: int, hidden_classes: int = HIDDEN_CLASSES
) -> tuple[ClientGraph, ...]:
    """Clients from groups of node numbers; nothing is hidden from the last, the held-out institution.

    Raises:
        InputError: a client would hold no labelled node.
    """
    classes, last = len(graph.class_names), len(groups) - 1
    parts = []
    to_hide = np.random.default_rng([seed, len(groups)]).permutation(classes).tolist()
    for k, group in enumerate(groups):
        rng = np.random.default_rng([seed, len(groups), k])
        hidden = (
            _choose_hidden(graph.labels[group], to_hide, hidden_classes) if k < last else np.zeros(0, dtype=np.int64)
        )
        parts.append(_client(graph, np.sort(group), hidden, classes, UNSEEN_SHARE if k < last else 0.0, rng))
    for k, part in enumerate(parts[:-1]):
        if not part.train.any():
            raise InputError(
                f"{graph.source}: client {k} of {last} would hold no labelled node; ask for fewer clients or give "
                "more labels."
            )
    return tuple(parts)


def louvain_communities(graph: Graph, seed: int) -> list[NDArray[np.int64]]:
    """Communities of nodes; an isolated node is one of its own."""
    import networkx as nx

    net = nx.Graph()
    net.add_nodes_from(range(len(graph)))
    half = graph.edges[:, graph.edges[0] < graph.edges[1]]
    net.add_edges_from(half.T.tolist())
    found = nx.community.louvain_communities(net, seed=seed)
    return [np.array(sorted(members), dtype=np.int64) for members in found]


def balanced_groups(communities: list[NDArray[np.int64]], number: int) -> list[NDArray[np.int64]]:
    """Merge communities, largest first, onto the smallest group so far; ties by the smallest member.

    Communities larger than a fair share stay whole: an institution may be large.
    """
    groups: list[list[NDArray[np.int64]]] = [[] for _ in range(number)]
    sizes = [0] * number
    for community in sorted(communities, key=lambda members: (-len(members), int(members[0]))):
        smallest = sizes.index(min(sizes))
        groups[smallest].append(community)
        sizes[smallest] += len(community)
    return [np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64) for parts in groups]


def _check(graph: Graph, clients: int) -> None:
    n, labelled = len(graph), int((graph.labels >= 0).sum())
    if clients < 1:
        raise InputError(f"{clients} clients make no federation; ask for at least 1.")
    if n < 4 * (clients + 1):
        raise InputError(
            f"{graph.source} holds {n} node{'s' * (n > 1)}, too few for {clients} clients and a held-out institution; "
            f"a simulation needs at least {4 * (clients + 1)}."
        )
    if not labelled:
        raise InputError(f"{graph.source} holds no label; a simulation of fedlog needs labelled nodes to score.")
    if len(np.unique(graph.labels[graph.labels >= 0])) < 2:
        raise InputError(f"{graph.source} has labels of one class only; give nodes of at least two.")


def _choose_hidden(labels: NDArray[np.int64], queue: list[int], most: int) -> NDArray[np.int64]:
    """The next classes in the queue that the client has, leaving it at least two; they go to the queue's end.

    So a class is hidden everywhere only where no other client has it.
    """
    present = set(np.unique(labels[labels >= 0]).tolist())
    number = max(0, min(most, len(present) - 2))
    chosen = [c for c in queue if c in present][:number]
    queue[:] = [c for c in queue if c not in chosen] + chosen
    return np.array(sorted(chosen), dtype=np.int64)


def _client(
    graph: Graph,
    group: NDArray[np.int64],
    hidden: NDArray[np.int64],
    classes: int,
    unseen_share: float,
    rng: np.random.Generator,
) -> ClientGraph:
    missing = np.isin(graph.labels[group], hidden)
    rest = np.flatnonzero(~missing)
    unseen = np.zeros(len(group), dtype=bool)
    unseen[rng.permutation(rest)[: round(unseen_share * len(rest))]] = True
    order = np.concatenate([np.flatnonzero(~missing & ~unseen), np.flatnonzero(missing | unseen)])
    nodes = group[order]
    n = int((~missing & ~unseen).sum())
    y = graph.labels[nodes]
    train, validation, test = _split(y[:n], rng)
    seen_edges = _induced(graph, nodes[:n])
    return ClientGraph(
        classes=classes,
        hidden=hidden,
        x=graph.x[nodes[:n]],
        edges=seen_edges,
        y=y[:n],
        train=train,
        validation=validation,
        test=test,
        whole_x=graph.x[nodes],
        whole_edges=_induced(graph, nodes),
        whole_y=y,
        unseen_nodes=unseen[order] & (y >= 0),
        missing_classes=missing[order],
        ids=nodes,
    )


def _split(y: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.bool_], ...]:
    """Train, validation and test masks in ``SHARES`` per class; a class's first node trains."""
    masks = [np.zeros(len(y), dtype=bool) for _ in SHARES]
    for c in np.unique(y[y >= 0]):
        members = rng.permutation(np.flatnonzero(y == c))
        first = max(1, round(SHARES[0] * len(members)))
        second = first + round(SHARES[1] * len(members))
        for mask, part in zip(masks, np.split(members, [first, second]), strict=True):
            mask[part] = True
    return tuple(masks)


def _induced(graph: Graph, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    place = np.full(len(graph), -1, dtype=np.int64)
    place[nodes] = np.arange(len(nodes))
    ends = place[graph.edges]
    source, target = ends[:, (ends >= 0).all(axis=0)]
    return undirected(source, target, len(nodes))
