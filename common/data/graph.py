"""Graphs as ``.npz`` files (docs/files.md#graph-files): reading, checking, writing."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.files import write_atomically

if TYPE_CHECKING:
    import scipy.sparse as sp

TRAIN, VALIDATION = "train_mask", "val_mask"
"""Optional arrays of a graph file, bool [n]: which labelled nodes train, and which are kept to choose by."""


@dataclass(frozen=True, eq=False)
class Graph:
    """n nodes with F features.

    ``x`` float32 [n, F]; ``edges`` int64 [2, E], every undirected edge in both directions, sorted by target, no
    self-loops, no pair twice; ``labels`` int64 [n], an index into ``class_names``, -1 where unlabelled.
    """

    x: NDArray[np.float32]
    edges: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    source: str
    masks: Mapping[str, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.x)


def read_graph(path: Path) -> Graph:
    """Read and check a graph; adjacency is made undirected, self-loops and duplicates are dropped.

    Raises:
        InputError: one sentence on what is wrong with the file, where, and how to mend it.
    """
    arrays = read_arrays(path)
    for name in ("adj_indices", "adj_indptr", "adj_shape", "labels"):
        _need(arrays, name, path)
    x = features_of(arrays, "attr_", path)
    n = len(x)
    if n == 0:
        raise InputError(f"{path} holds a graph without nodes; give at least one.")
    shape = tuple(int(side) for side in arrays["adj_shape"].ravel())
    if len(shape) != 2 or shape[0] != shape[1]:
        raise InputError(f"{path}: adj_shape is {shape} but an adjacency matrix is square; write ({n}, {n}).")
    if shape[0] != n:
        raise InputError(f"{path}: adj_shape says {shape[0]} nodes but there are attributes of {n}; make them agree.")
    source, target = _pairs(arrays, "adj_", shape, path)
    labels = _labels(arrays["labels"], n, path)
    names = _class_names(arrays, labels, path)
    ids = _ids(arrays, n, path)
    masks = {name: _mask(arrays[name], n, name, path) for name in (TRAIN, VALIDATION) if name in arrays}
    for name, mask in masks.items():
        if (labels[mask] < 0).any():
            raise InputError(f"{path}: {name} holds nodes without a label; unset it where labels is -1.")
    return Graph(x, undirected(source, target, n), labels, names, ids, str(path), masks)


def check_trainable(graph: Graph) -> None:
    """Raise InputError where a site would have no node to train on."""
    if not (graph.labels >= 0).any():
        raise InputError(f"{graph.source} holds no label; a site needs labelled nodes to train on.")
    if TRAIN in graph.masks and not graph.masks[TRAIN].any():
        raise InputError(
            f"{graph.source}: {TRAIN} marks no node; mark the labelled nodes to train on, or leave it out."
        )


def write_graph(graph: Graph, path: Path) -> None:
    """Write ``graph`` in the form that ``read_graph`` reads, atomically."""
    import scipy.sparse as sp

    n = len(graph)
    ones = np.ones(graph.edges.shape[1], dtype=np.float32)
    adjacency = sp.csr_matrix((ones, (graph.edges[0], graph.edges[1])), shape=(n, n))
    arrays: dict[str, NDArray[Any]] = {
        **csr_parts("adj_", adjacency),
        **csr_parts("attr_", sp.csr_matrix(graph.x)),
        "labels": graph.labels,
        "class_names": np.array(graph.class_names, dtype=np.str_),
        "node_names": np.array(graph.ids, dtype=np.str_),
        **graph.masks,
    }
    save_arrays(path, arrays)


def csr_parts(prefix: str, matrix: "sp.csr_matrix") -> dict[str, NDArray[Any]]:
    """The arrays that a file holds of a sparse matrix."""
    return {
        f"{prefix}data": matrix.data,
        f"{prefix}indices": matrix.indices,
        f"{prefix}indptr": matrix.indptr,
        f"{prefix}shape": np.array(matrix.shape, dtype=np.int64),
    }


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as a compressed ``.npz``, atomically."""

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    write_atomically(path, write)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz``, never unpickling anything.

    Raises:
        InputError: missing, damaged, or holding Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        if not zipfile.is_zipfile(path):
            raise InputError(f"{path} is no .npz file; save the graph with numpy.savez.") from None
        reason = "it holds Python objects" if "pickle" in str(error) else "it is damaged"
        raise InputError(f"{path} cannot be read as an .npz of plain arrays ({reason}); save it again.") from None


def features_of(arrays: Mapping[str, NDArray[Any]], prefix: str, path: Path) -> NDArray[np.float32]:
    """Node attributes ``[n, F]`` from CSR parts under ``prefix``, or from a dense ``x``."""
    if f"{prefix}data" not in arrays and "x" in arrays:
        x = arrays["x"]
        if x.ndim != 2 or not np.issubdtype(x.dtype, np.number):
            raise InputError(f"{path}: x is not a table of numbers but {x.dtype} of shape {x.shape}; write [n, F].")
        x = x.astype(np.float32)
    else:
        import scipy.sparse as sp

        for part in ("data", "indices", "indptr", "shape"):
            _need(arrays, prefix + part, path)
        shape = tuple(int(side) for side in arrays[prefix + "shape"].ravel())
        if len(shape) != 2:
            raise InputError(f"{path}: {prefix}shape is {shape} but must be (nodes, features); correct it.")
        _pairs(arrays, prefix, shape, path)
        data = arrays[prefix + "data"]
        if not np.issubdtype(data.dtype, np.number):
            raise InputError(f"{path}: {prefix}data holds {data.dtype}, not numbers; write float32.")
        parts = data.astype(np.float32), arrays[prefix + "indices"], arrays[prefix + "indptr"]
        x = sp.csr_matrix(parts, shape=shape).toarray()
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise InputError(
            f"{path}: the attributes of {len(bad)} nodes (first: node {bad[0]}) hold NaN or infinity; "
            "fill them in or remove the nodes."
        )
    if not x.shape[1]:
        raise InputError(f"{path}: nodes have no attributes; give at least one feature, for example the degree.")
    return x


def undirected(source: NDArray[np.int64], target: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Both directions of every pair once, without self-loops: int64 [2, E], sorted by target."""
    keep = source != target
    a, b = source[keep], target[keep]
    codes = np.unique(np.concatenate([b * n + a, a * n + b])) if len(a) else np.zeros(0, dtype=np.int64)
    return np.stack([codes % n, codes // n]).astype(np.int64)


def _pairs(
    arrays: Mapping[str, NDArray[Any]], prefix: str, shape: tuple[int, ...], path: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of every entry of a CSR matrix whose parts hold together."""
    try:
        indices = arrays[prefix + "indices"].astype(np.int64, casting="safe").ravel()
        indptr = arrays[prefix + "indptr"].astype(np.int64, casting="safe").ravel()
    except TypeError:
        raise InputError(f"{path}: {prefix}indices and {prefix}indptr must be whole numbers; convert them.") from None
    rows, columns = shape
    steps = np.diff(indptr)
    if len(indptr) != rows + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (steps < 0).any():
        raise InputError(
            f"{path}: {prefix}indptr does not fit {rows} rows and {len(indices)} entries; save the matrix as CSR again."
        )
    data = arrays.get(prefix + "data")
    if data is not None and data.size != len(indices):
        raise InputError(
            f"{path}: {prefix}data has {data.size} entries and {prefix}indices {len(indices)}; save the CSR again."
        )
    outside = np.flatnonzero((indices < 0) | (indices >= columns))
    if len(outside):
        raise InputError(
            f"{path}: {prefix}indices[{outside[0]}] is {indices[outside[0]]}, outside 0 to {columns - 1}; "
            "count from 0 and correct it."
        )
    return np.repeat(np.arange(rows, dtype=np.int64), steps), indices


def _labels(values: NDArray[Any], n: int, path: Path) -> NDArray[np.int64]:
    if values.shape != (n,):
        raise InputError(f"{path}: labels has shape {values.shape} but there are {n} nodes; give one label a node.")
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{path}: labels are {values.dtype}, not whole numbers; write -1 where unlabelled.")
    labels = values.astype(np.int64)
    if len(labels) and labels.min() < -1:
        raise InputError(f"{path}: the label {labels.min()} names no class; write -1 where unlabelled.")
    return labels


def _class_names(arrays: Mapping[str, NDArray[Any]], labels: NDArray[np.int64], path: Path) -> tuple[str, ...]:
    most = int(labels.max(initial=-1)) + 1
    if "class_names" not in arrays:
        return tuple(str(i) for i in range(most))
    names = tuple(str(name) for name in arrays["class_names"].ravel())
    if most > len(names):
        raise InputError(f"{path}: the label {most - 1} has no name among the {len(names)} class_names; add it.")
    if len(set(names)) != len(names):
        raise InputError(f"{path}: class_names holds a name twice; make them differ.")
    return names


def _ids(arrays: Mapping[str, NDArray[Any]], n: int, path: Path) -> tuple[str, ...]:
    names = arrays.get("node_names")
    if names is None or names.shape != (n,) or names.dtype.kind not in "US":
        return tuple(str(i) for i in range(n))
    ids = tuple(str(name) for name in names)
    if len(set(ids)) != n:
        raise InputError(f"{path}: node_names holds a name twice; make them differ or leave node_names out.")
    return ids


def _mask(values: NDArray[Any], n: int, name: str, path: Path) -> NDArray[np.bool_]:
    if values.shape != (n,) or values.dtype != np.bool_:
        raise InputError(f"{path}: {name} is {values.dtype} of shape {values.shape}, not bool [{n}]; correct it.")
    return values


def _need(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> None:
    if name not in arrays:
        raise InputError(
            f"{path} has no array '{name}'; a graph needs adj_data, adj_indices, adj_indptr, adj_shape, labels, and "
            "attributes as attr_data, attr_indices, attr_indptr, attr_shape or as x."
        )
