"""Laying out the sites of a simulation of a graph method: a partition, read or made, and one folder a site."""

import logging
import shutil
from pathlib import Path

import numpy as np

from common.data.folder import build_folder
from common.data.graph import TRAIN, VALIDATION, Graph, read_graph, write_graph
from common.data.graph_partition import ClientGraph, partition_graph
from common.data.kinds.graphs import GRAPHS, is_graph
from common.data.kinds.vectors import VECTORS
from common.data.partition_files import is_table, partition_names, read_partition, write_client, write_partition
from common.errors import InputError
from common.methods.graph_common import G
from common.methods.registry import get_method
from common.place import Simulation
from common.privacy.accountant import check_noise
from common.run.run_files import RunFiles
from common.settings import RunConfig

log = logging.getLogger("fedlpa.server")


def lay_out_graphs(config: RunConfig[G], files: RunFiles, overwrite: bool) -> RunConfig[G]:
    """Read or make a partition, write it to ``partition/`` and its sites to ``sites/``, and ``config.json``.

    With the setting ``partition``, its folder says how many clients there are and what the classes are.

    Returns:
        the configuration with what was found: kind, number of features, classes, clients.

    Raises:
        InputError: the data, a setting, or the folder will not do. Nothing is written then.
    """
    given = config.options.partition
    parts, names, kind = _given(Path(given)) if given else _made(config)
    clients = len(parts) - 1
    if given and clients != config.clients:
        log.warning("%s holds %d clients and a held-out institution: that many take part", given, clients)
    resolved = config.but(
        kind=kind, sample_shape=(parts[0].x.shape[1],), seen_classes=names, classes=names, clients=clients
    )
    # Settings that do not fit, and noise that would not hold, are refused before anything runs.
    check_noise(resolved, get_method(config.method).contract(resolved, Simulation(files.sites)))
    if config.min_clients > clients:
        raise InputError(
            f"setting min-clients={config.min_clients} exceeds the {clients} clients; lower it or add clients."
        )
    if files.claim(resolved, overwrite=overwrite) and files.sites.exists():
        return resolved
    shutil.rmtree(files.partition, ignore_errors=True)  # of a run that broke off before its sites were laid out
    meta = {
        "dataset": Path(config.data).stem,
        "kind": kind,
        "partition_seed": config.seed,
        "class_names": list(names),
    }
    write_partition(parts, files.partition, meta)
    build_folder(files.sites, lambda folder: _lay_out(parts, names, folder))
    files.write_config(resolved)
    return resolved


def site_graph(part: ClientGraph, names: tuple[str, ...], source: str) -> Graph:
    """What an institution itself would hold: the seen graph, with the labels of training and validation nodes."""
    visible = part.train | part.validation
    return Graph(
        x=part.x,
        edges=part.edges,
        labels=np.where(visible, part.y, -1),
        class_names=names,
        ids=tuple(str(node) for node in part.ids[: len(part)]),
        source=source,
        masks={TRAIN: part.train, VALIDATION: part.validation},
    )


Made = tuple[tuple[ClientGraph, ...], tuple[str, ...], str]
"""Institutions, class names, kind of data."""


def _given(folder: Path) -> Made:
    parts = read_partition(folder)
    return parts, partition_names(folder, parts[0].classes), VECTORS.name if is_table(folder) else GRAPHS.name


def _made(config: RunConfig[G]) -> Made:
    path = Path(config.data)
    if is_graph(path):
        graph = read_graph(path)
        return partition_graph(graph, config.clients, config.seed), graph.class_names, GRAPHS.name
    from common.data.read import ReadOptions, read_dataset
    from common.data.table_graph import cut_table

    dataset = read_dataset(config.data, ReadOptions(label_column=config.label_column, rows=config.rows))
    k = config.options.knn
    return *cut_table(dataset, config.clients, config.alpha, config.seed, k), VECTORS.name


def _lay_out(parts: tuple[ClientGraph, ...], names: tuple[str, ...], folder: Path) -> None:
    for k, part in enumerate(parts[:-1]):
        site = folder / f"site-{k}"
        site.mkdir()
        write_graph(site_graph(part, names, f"client {k}"), site / "data.npz")
        write_client(part, site / "truth.npz")
        write_client(parts[-1], site / "held-out.npz")
