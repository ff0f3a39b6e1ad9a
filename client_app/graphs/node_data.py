"""A site's graph as the graph methods need it: tensors, visible labels, and in benchmarks the truth."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.method import Task
from client_app.site import SimulatedSite, Site
from client_app.site_data import SiteData, load_samples
from common.data.graph import TRAIN, VALIDATION, Graph, check_trainable, read_graph
from common.data.graph_partition import SHARES, ClientGraph
from common.data.kinds.graphs import GRAPHS, is_graph
from common.data.kinds.vectors import VECTORS
from common.data.partition_files import read_client
from common.errors import InputError, nearest
from common.methods.graph_common import GraphOptions
from common.settings import AnyConfig

HELD_OUT = "held-out.npz"
"""Beside a benchmark's truth: the institution that takes no part, which every client's model is scored on."""


@dataclass(frozen=True)
class GraphSiteData(SiteData):
    """n nodes of one site: ``x`` float32 [n, F], ``labels`` int64 [n] (-1 where not visible), as in any SiteData.

    ``edges`` int64 [2, E], both directions; ``train`` and ``validation`` bool [n], disjoint, labelled nodes only.
    ``benchmark`` and ``held_out`` hold the truth, None outside simulations.
    """

    edges: NDArray[np.int64]
    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    benchmark: ClientGraph | None
    held_out: ClientGraph | None

    made_of_table: bool = False
    """Whether the edges were made here, from the rows."""

    @property
    def measuring(self) -> int:
        """How many labelled nodes measure and do not train."""
        return int(self.validation.sum())

    @property
    def links(self) -> NDArray[np.int64] | None:
        """The edges of a graph that came as one."""
        return None if self.made_of_table else self.edges

    @property
    def train_nodes(self) -> Tensor:
        """int64 [t], the training nodes."""
        return torch.from_numpy(np.flatnonzero(self.train))

    @property
    def train_labels(self) -> Tensor:
        """int64 [t], the classes of the training nodes."""
        return torch.from_numpy(self.labels[self.train])

    @property
    def usable(self) -> int:
        """How many nodes have a label that may be used: to train, or to validate."""
        return int(self.train.sum() + self.validation.sum())

    def train_counts(self, classes: int) -> NDArray[np.int64]:
        """[C], training nodes of every class."""
        return np.bincount(self.labels[self.train], minlength=classes).astype(np.int64)


def graph_data(task: Task[GraphOptions]) -> GraphSiteData:
    """The site's data, which a graph method's loader read."""
    assert isinstance(task.data, GraphSiteData)
    return task.data


def load_graph_data(site: Site, config: AnyConfig) -> GraphSiteData:
    """Read and check a site's graph against the run.

    Raises:
        InputError: an unreadable graph, another number of features than the run's, a label that the run does not
            know, or no label at all.
    """
    if config.kind not in (GRAPHS.name, VECTORS.name):
        raise InputError(
            f"method {config.method} works on graphs and tables, the run says kind '{config.kind}'; set kind = "
            f'"{GRAPHS.name}" or "{VECTORS.name}".'
        )
    stamp = site.data.stat()
    return _load(site, config, stamp.st_mtime_ns, stamp.st_size)


def load_graph(path: Path, config: AnyConfig) -> Graph:
    """The graph in ``path`` with labels as indices into the run's classes.

    Raises:
        InputError: as ``load_graph_data``.
    """
    graph = read_graph(path)
    if config.sample_shape and graph.x.shape[1] != config.sample_shape[0]:
        raise InputError(
            f"{path} has {graph.x.shape[1]} features a node, the run expects {config.sample_shape[0]}; "
            "give the same features at every site."
        )
    used = {graph.class_names[c] for c in np.unique(graph.labels[graph.labels >= 0])}
    for name in sorted(used - set(config.seen_classes)):
        raise InputError(
            f"{path} has the label '{name}', which is not a class of this run; {nearest(name, config.seen_classes)} "
            "Remove the label or add the class to seen-classes."
        )
    place = {name: i for i, name in enumerate(config.seen_classes)}
    index = np.array([place.get(name, -1) for name in graph.class_names] or [-1], dtype=np.int64)
    labels = np.where(graph.labels >= 0, index[graph.labels], -1)
    return Graph(graph.x, graph.edges, labels, config.seen_classes, graph.ids, graph.source, graph.masks)


def split_labelled(labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Training and validation masks over the labelled nodes, per class, in the proportion of a benchmark's split."""
    rng = np.random.default_rng([seed, len(labels)])
    train, validation = np.zeros(len(labels), dtype=bool), np.zeros(len(labels), dtype=bool)
    for c in np.unique(labels[labels >= 0]):
        members = rng.permutation(np.flatnonzero(labels == c))
        cut = max(1, round(len(members) * SHARES[0] / (SHARES[0] + SHARES[1])))
        train[members[:cut]] = True
        validation[members[cut:]] = True
    return train, validation


@lru_cache(maxsize=8)
def _load(site: Site, config: AnyConfig, modified: int, size: int) -> GraphSiteData:
    """Reading again only when the file changed: a simulation's workers serve many rounds."""
    graph = load_graph(site.data, config) if is_graph(site.data) else _table(site, config)
    check_trainable(graph)
    train, validation = graph.masks.get(TRAIN), graph.masks.get(VALIDATION)
    if train is None:
        train, validation = split_labelled(graph.labels, config.seed)
    elif validation is None:
        validation = (graph.labels >= 0) & ~train
    assert validation is not None
    benchmark = held_out = None
    if isinstance(site, SimulatedSite) and config.classes and site.truth.exists():
        benchmark, held_out = read_client(site.truth), read_client(site.truth.with_name(HELD_OUT))
    return GraphSiteData(
        ids=graph.ids,
        x=torch.from_numpy(graph.x),
        labels=graph.labels,
        truth=None if benchmark is None else benchmark.y,
        fingerprint=_fingerprint(graph),
        kept_labels=np.full(len(graph.labels), -1, dtype=np.int64),
        edges=graph.edges,
        train=train,
        validation=validation & ~train,
        benchmark=benchmark,
        held_out=held_out,
        made_of_table=not is_graph(site.data),
    )


def _table(site: Site, config: AnyConfig) -> Graph:
    """A site's rows with their similarity graph."""
    from common.data.table_graph import table_edges

    rows = load_samples(site, config)
    x = rows.x.numpy().astype(np.float32)
    assert isinstance(config.options, GraphOptions)
    edges = table_edges(x, config.options.knn)
    return Graph(x, edges, rows.labels, config.seen_classes, rows.ids, str(site.data), {})


def _fingerprint(graph: Graph) -> str:
    digest = hashlib.sha256(repr((graph.ids, graph.x.shape)).encode())
    for array in (graph.x, graph.edges, graph.labels):
        digest.update(np.ascontiguousarray(array).data)
    for name in sorted(graph.masks):
        digest.update(graph.masks[name].tobytes())
    return digest.hexdigest()
