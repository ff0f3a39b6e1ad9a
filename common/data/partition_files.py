"""A partition of a graph as a folder: ``client0.npz`` ... ``clientN.npz``, the last one held out, and ``meta.json``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.folder import build_folder
from common.data.graph import csr_parts, features_of, read_arrays, save_arrays, undirected
from common.data.graph_partition import UNSEEN_SHARE, ClientGraph
from common.data.kinds.vectors import VECTORS
from common.errors import InputError
from common.files import write_json


def write_partition(parts: tuple[ClientGraph, ...], folder: Path, meta: dict[str, Any]) -> None:
    """Write a partition folder; it appears at once, complete.

    Raises:
        InputError: the folder is already there and not empty.
    """

    def fill(temporary: Path) -> None:
        for k, part in enumerate(parts):
            write_client(part, temporary / f"client{k}.npz")
        write_json(temporary / "meta.json", {**meta, **_meta(parts)})

    build_folder(folder, fill)


def read_partition(folder: Path) -> tuple[ClientGraph, ...]:
    """Read a partition folder.

    Raises:
        InputError: no such folder, fewer than two institutions, or one that does not fit the others.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give a partition folder with --set partition=DIR.")
    paths: list[Path] = []
    while (path := folder / f"client{len(paths)}.npz").exists():
        paths.append(path)
    if len(paths) < 2:
        raise InputError(
            f"{folder} holds {len(paths)} of the client<k>.npz files; a partition has at least two, the last one "
            "held out."
        )
    parts = tuple(read_client(path) for path in paths)
    for path, part in zip(paths, parts, strict=True):
        if (part.classes, part.x.shape[1]) != (parts[0].classes, parts[0].x.shape[1]):
            raise InputError(
                f"{path} has {part.classes} classes and {part.x.shape[1]} features, {paths[0].name} has "
                f"{parts[0].classes} and {parts[0].x.shape[1]}; use files of one partition."
            )
    return parts


def partition_names(folder: Path, classes: int) -> tuple[str, ...]:
    """The class names that ``meta.json`` gives, else "0", "1", ..."""
    names = _read_meta(folder).get("class_names")
    if isinstance(names, list) and len(names) == classes:
        return tuple(str(name) for name in names)
    return tuple(str(i) for i in range(classes))


def is_table(folder: Path) -> bool:
    """Whether the partition was made from a table, whose columns need one scale."""
    return _read_meta(folder).get("kind") == VECTORS.name


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def write_client(part: ClientGraph, path: Path) -> None:
    """Write one client's file of a partition."""
    import scipy.sparse as sp

    save_arrays(
        path,
        {
            "num_cls": np.array(part.classes, dtype=np.int64),
            "hidden_classes": part.hidden,
            "orig_id": part.ids[: len(part)],
            "edge_index": part.edges,
            **csr_parts("x_", sp.csr_matrix(part.x)),
            "y": part.y,
            "train_mask": part.train,
            "val_mask": part.validation,
            "test_mask": part.test,
            "unseen_orig_id": part.ids,
            "unseen_edge_index": part.whole_edges,
            **csr_parts("unseen_x_", sp.csr_matrix(part.whole_x)),
            "unseen_y": part.whole_y,
            "unseen_node_mask": part.unseen_nodes,
            "unseen_cls_mask": part.missing_classes,
        },
    )


def read_client(path: Path) -> ClientGraph:
    """Read one client's file of a partition.

    Raises:
        InputError: an array is missing or does not fit the others.
    """
    arrays = read_arrays(path)
    needed = ("num_cls", "edge_index", "y", "unseen_edge_index", "unseen_y", "unseen_node_mask", "unseen_cls_mask")
    for name in (*needed, "train_mask", "val_mask", "test_mask"):
        if name not in arrays:
            raise InputError(f"{path} has no array '{name}'; it is not a client's file of a partition.")
    x = features_of(arrays, "x_", path)
    whole_x = features_of(arrays, "unseen_x_", path)
    n, m = len(x), len(whole_x)
    lengths = dict.fromkeys(("y", "train_mask", "val_mask", "test_mask"), n)
    lengths |= dict.fromkeys(("unseen_y", "unseen_node_mask", "unseen_cls_mask"), m)
    for name, length in lengths.items():
        if arrays[name].shape != (length,):
            raise InputError(
                f"{path}: {name} has shape {arrays[name].shape} but there are {length} nodes; write the file again."
            )
    if m < n:
        raise InputError(f"{path}: the whole graph has {m} nodes and the seen graph {n}; write the file again.")
    classes = int(arrays["num_cls"])
    for name in ("y", "unseen_y"):
        values = arrays[name]
        if len(values) and (values.min() < -1 or values.max() >= classes):
            raise InputError(f"{path}: {name} holds a class outside 0 to {classes - 1}; write the file again.")
    return ClientGraph(
        classes=classes,
        hidden=arrays.get("hidden_classes", np.zeros(0)).astype(np.int64),
        x=x,
        edges=_edges(arrays["edge_index"], n, "edge_index", path),
        y=arrays["y"].astype(np.int64),
        train=arrays["train_mask"].astype(bool),
        validation=arrays["val_mask"].astype(bool),
        test=arrays["test_mask"].astype(bool),
        whole_x=whole_x,
        whole_edges=_edges(arrays["unseen_edge_index"], m, "unseen_edge_index", path),
        whole_y=arrays["unseen_y"].astype(np.int64),
        unseen_nodes=arrays["unseen_node_mask"].astype(bool),
        missing_classes=arrays["unseen_cls_mask"].astype(bool),
        ids=arrays.get("unseen_orig_id", np.arange(m)).astype(np.int64),
    )


def _edges(values: NDArray[Any], n: int, name: str, path: Path) -> NDArray[np.int64]:
    if values.ndim != 2 or values.shape[0] != 2 or not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{path}: {name} has shape {values.shape}, not [2, E] of whole numbers; write the file again.")
    edges = values.astype(np.int64)
    if edges.size and (edges.min() < 0 or edges.max() >= n):
        raise InputError(f"{path}: {name} names node {edges.max()} of {n}; count from 0 and write the file again.")
    return undirected(edges[0], edges[1], n)


def _meta(parts: tuple[ClientGraph, ...]) -> dict[str, Any]:
    return {
        "n_silos": len(parts) - 1,
        "num_cls": parts[0].classes,
        "num_feat": int(parts[0].x.shape[1]),
        "unseen_frac": UNSEEN_SHARE,
        "hidden_classes": [part.hidden.tolist() for part in parts],
        "clients": [
            {
                "id": k,
                "new_client": k == len(parts) - 1,
                "seen_nodes": len(part),
                "seen_edges": int(part.edges.shape[1]),
                "train": int(part.train.sum()),
                "val": int(part.validation.sum()),
                "test": int(part.test.sum()),
                "unseen_nodes": int(part.unseen_nodes.sum()),
                "missing_class_nodes": int(part.missing_classes.sum()),
                "train_class_counts": np.bincount(part.y[part.train], minlength=part.classes).tolist(),
            }
            for k, part in enumerate(parts)
        ],
    }
