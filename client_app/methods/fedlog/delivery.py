"""The end of a FedLoG run at a site: keep the model, write down every node's class, score in benchmarks."""

from torch import Tensor

from client_app.graphs.neighbourhoods import GraphTensors
from client_app.graphs.node_data import graph_data
from client_app.graphs.node_scores import SEEN, count_right, is_counted
from client_app.graphs.node_training import make_network, site_metrics, site_tensors, write_classes
from client_app.graphs.own_model import recall_own, tensors_of
from client_app.method import Answer, Task
from client_app.methods.fedlog.personal import personal, predictors
from common.methods.fedlog.spec import FedLoGOptions
from common.models.graph_sage import GraphSage
from common.run.model_files import Model, save_model
from common.wire.records import WEIGHTS

OWN_PREFIX = "own/"
"""In a site's model: tensors of its own model, beside the shared ones. They stay here."""


def deliver(task: Task[FedLoGOptions]) -> Answer:
    """Predict the site's graph with the final and the own model; write ``predictions.parquet`` and ``model/``."""
    options, graph = task.config.options, site_tensors(task)
    averaged = make_network(task, task.records[WEIGHTS], options.cosine_head)
    kept = recall_own(task.state, task.plan.round) if options.own_model else None
    own = make_network(task, kept, options.cosine_head) if kept is not None else None
    scores_NC = write_results(task, graph, averaged, own)
    records = count_right(task, predictors(task, averaged, own)) if is_counted(task) else {}
    return Answer(records, site_metrics(graph_data(task), scores_NC))


def write_results(task: Task[FedLoGOptions], graph: GraphTensors, averaged: GraphSage, own: GraphSage | None) -> Tensor:
    """Write ``predictions.parquet`` and ``model/`` into the site's folder; returns the scores [n, C] of its nodes."""
    scores_NC = personal(task, averaged, own)(graph, SEEN)
    write_classes(task, scores_NC)
    tensors = dict(tensors_of(averaged))
    if own is not None:
        tensors |= {OWN_PREFIX + name: array for name, array in tensors_of(own).items()}
    save_model(task.site.folder / "model", Model(task.config, tensors, None))
    return scores_NC
