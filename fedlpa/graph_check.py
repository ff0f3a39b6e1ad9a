"""``fedlpa data check`` on a graph: what a FedLoG site would see in it, what will be done with it, what is wrong."""

from pathlib import Path

import numpy as np

from common.data.graph import check_trainable, read_graph
from common.data.kinds.graphs import GRAPHS, describe_graph, graph_facts
from common.errors import InputError
from fedlpa.data_report import DataReport


def check_graph(path: str) -> DataReport:
    """Read the graph at ``path`` and report on it; what no site could train on becomes a report that is not ``ok``."""
    try:
        graph = read_graph(Path(path))
        check_trainable(graph)
    except InputError as error:
        return DataReport(source=path, ok=False, problems=(str(error),))
    names, labels = graph.class_names, graph.labels
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    classes = {name: int(count) for name, count in zip(names, counts, strict=True)}
    labelled = int(counts.sum())
    facts = graph_facts(graph)
    description = describe_graph(graph, facts, classes)
    return DataReport(
        source=path,
        ok=True,
        kind=GRAPHS.name,
        samples=len(graph),
        sample_shape=(graph.x.shape[1],),
        labelled=labelled,
        unlabelled=len(graph) - labelled,
        classes=classes,
        duplicates=len(graph) - len(np.unique(graph.x, axis=0)),
        warnings=description.warnings,
        will=description.will,
        graph=facts,
    )
