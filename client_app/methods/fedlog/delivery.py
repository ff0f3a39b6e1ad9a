"""The end of a FedLoG run at a site: keep the model, write down every node's class, score in benchmarks."""

from client_app.graphs.node_scores import SEEN, score_predictors
from client_app.graphs.node_training import graph_data, make_network, site_tensors, validation_accuracy, write_classes
from client_app.graphs.own_model import recall_own, tensors_of
from client_app.method import Answer, Task
from client_app.methods.fedlog.personal import personal, predictors
from common.methods.fedlog.spec import FedLoGOptions
from common.run.model_files import Model, save_model
from common.wire.records import TRUTH, WEIGHTS, Metric


def deliver(task: Task[FedLoGOptions]) -> Answer:
    """Predict the site's graph with the final and the own model; write ``predictions.parquet`` and ``model/``.

    The own model's tensors stand beside the shared ones as ``own/<name>``; they stay here.
    """
    options, data = task.config.options, graph_data(task)
    graph = site_tensors(task)
    averaged = make_network(task, task.records[WEIGHTS], options.cosine_head)
    kept = recall_own(task.state, task.plan.round) if options.own_model else None
    own = make_network(task, kept, options.cosine_head) if kept is not None else None
    scores_NC = personal(task, averaged, own)(graph, SEEN)
    write_classes(task, scores_NC)
    tensors = dict(tensors_of(averaged))
    if own is not None:
        tensors |= {f"own/{name}": array for name, array in tensors_of(own).items()}
    save_model(task.site.folder / "model", Model(task.config, tensors, None))
    records = {}
    if data.benchmark is not None:
        found = score_predictors(
            data, predictors(task, averaged, own), len(task.config.seen_classes), str(graph.x_NF.device)
        )
        records[TRUTH] = found
    metrics: dict[str, Metric] = {"samples": len(data)}
    accuracy = validation_accuracy(data, scores_NC)
    if accuracy is not None:
        metrics["validation-accuracy"] = accuracy
    return Answer(records, metrics)
