"""The end of a run at a site: keep the model, write down every node's class, score in benchmarks."""

from client_app.graphs.node_data import graph_data
from client_app.graphs.node_training import site_metrics, site_tensors, write_classes
from client_app.graphs.own_model import tensors_of
from client_app.method import Answer, Task
from client_app.methods.fedlog_published.branch_predictors import score
from client_app.methods.fedlog_published.branch_training import all_log_probs
from client_app.methods.fedlog_published.generators import known_generators
from client_app.methods.fedlog_published.site_model import site_model
from common.methods.fedlog_published import PublishedOptions
from common.run.model_files import Model, save_model
from common.wire.records import WEIGHTS


def deliver(task: Task[PublishedOptions]) -> Answer:
    """Predict with the averaged network and the site's synthetic nodes; write ``predictions.parquet``, ``model/``."""
    model, generators = site_model(task, task.records[WEIGHTS]), known_generators(task)
    scores_NC = all_log_probs(model, site_tensors(task), generators)
    write_classes(task, scores_NC)
    save_model(task.site.folder / "model", Model(task.config, dict(tensors_of(model)), None))
    return Answer(score(task, model, generators), site_metrics(graph_data(task), scores_NC))
