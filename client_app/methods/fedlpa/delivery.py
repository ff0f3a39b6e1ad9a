"""The end of a FedLPA run at a site: keep the final model and write down what every sample turned out to be."""

import torch

from client_app.method import Answer, Task
from client_app.methods.fedlpa.categories import categories_of
from client_app.methods.fedlpa.head_round import home_logits
from client_app.methods.fedlpa.memory import recall_concepts
from client_app.outcome import conclude
from client_app.training.local_training import load_network, weights_of
from common.methods.fedlpa.spec import FedLPAOptions
from common.models import all_features
from common.run.model_files import Model, save_model


@torch.no_grad()
def deliver(task: Task[FedLPAOptions]) -> Answer:
    """Predict every sample with the site's own prior; write ``predictions.parquet`` and ``model/``."""
    network = load_network(task)
    z_ND = all_features(network, task.data.x)
    concepts = recall_concepts(task.state, task.plan.round)
    same_site = task.config.options.centre == "site" or not network.feature_mean.any()
    centre_D = z_ND.mean(dim=0) if same_site else network.feature_mean
    categories = categories_of(task, concepts, z_ND, centre_D)
    if categories is None or not len(categories):
        return Answer(metrics={"samples": len(task.data)})
    posterior_NK = home_logits(categories, z_ND).softmax(dim=1)
    confidence, category = (value.numpy() for value in posterior_NK.max(dim=1))
    records = conclude(task, categories.names, categories.numbers, category, confidence)
    weights = dict(weights_of(network)) | {"feature_mean": centre_D.cpu().numpy()}
    save_model(
        task.site.folder / "model", Model(task.config, weights, categories.catalogue(), categories.log_prior().numpy())
    )
    return Answer(records, {"samples": len(task.data)})
