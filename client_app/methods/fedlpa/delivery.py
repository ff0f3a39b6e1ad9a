"""The end of a FedLPA run at a site: keep the final model and write down what every sample turned out to be."""

import numpy as np
import torch

from client_app.methods.fedlpa.categories import categories_of
from client_app.methods.fedlpa.memory import recall_concepts
from client_app.task import Answer, Task
from client_app.training.local import load_network
from common.methods.fedlpa import options_of
from common.models import LOGIT_TEMPERATURE, all_features
from common.predictions import FILE, write_predictions


@torch.no_grad()
def deliver(task: Task) -> Answer:
    """Write ``predictions.parquet`` at the site: the last discovery's concept of every sample, by category."""
    network = load_network(task)
    z_ND = all_features(network, task.data.x)
    concepts = recall_concepts(task.state, task.plan.round)
    same_site = options_of(task.config).centre == "site" or not network.feature_mean.any()
    centre_D = z_ND.mean(dim=0) if same_site else network.feature_mean
    categories = categories_of(task, concepts, z_ND, centre_D)
    if categories is not None and len(categories):
        probability = (categories.cosines(z_ND) / LOGIT_TEMPERATURE).softmax(dim=1).cpu().numpy()
        labels = categories.labels(task.config.seen_classes)
        write_predictions(
            task.site.folder / FILE,
            task.data.ids,
            [labels[k] for k in categories.assigned],
            categories.names[categories.assigned] < 0,
            probability[np.arange(len(z_ND)), categories.assigned],
        )
    return Answer(metrics={"samples": len(task.data)})
