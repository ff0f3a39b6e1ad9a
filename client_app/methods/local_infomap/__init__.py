"""Baseline ``local-infomap``: CLCD on a site's raw inputs; nothing is trained, nothing is shared.

Where a pretrained backbone is configured, its features take the place of pixels.
"""

import time

import numpy as np
import torch

from client_app.discovery.clcd import calibrate, discover
from client_app.evaluation import health, truth_counts
from client_app.method import Answer, Task
from client_app.outcome import name_labelled
from common.discovery.catalogue import category_labels, number_by_size
from common.discovery.similarity import centred
from common.methods.local_infomap import options_of
from common.models import raw_inputs
from common.run.predictions import FILE, write_predictions
from common.wire.records import TRUTH


def run_round(task: Task) -> Answer:
    """Discover on the inputs, write the site's predictions, answer with scalars."""
    options, data = options_of(task.config), task.data
    started = time.perf_counter()
    z_ND = torch.nn.functional.normalize(raw_inputs(task.config, data.x), dim=1)
    centre_D = z_ND.mean(dim=0)
    own = calibrate(z_ND, data.labels, centre_D, options, seed=task.config.seed)
    concepts, resolution = discover(
        z_ND,
        data.labels,
        centre_D,
        options,
        own=own,
        federation=None,
        head_cosines=None,
        seed=task.config.seed,
    )
    metrics: dict[str, float | int | list[float]] = {
        "samples": len(data),
        "labelled": int((data.labels >= 0).sum()),
        "concepts": len(concepts),
        "resolution": resolution,
        "discovery-seconds": time.perf_counter() - started,
        **health(z_ND, centre_D, concepts, None),
    }
    labels = category_labels(concepts.names, number_by_size(concepts.names, concepts.counts), task.config.seen_classes)
    rows = centred(concepts.prototypes, centre_D)
    probability = (centred(z_ND, centre_D) @ rows.T / 0.1).softmax(dim=1).numpy()
    named, novel, sure = name_labelled(
        [labels[k] for k in concepts.assigned],
        concepts.names[concepts.assigned] < 0,
        probability[np.arange(len(z_ND)), concepts.assigned],
        data.known_labels,
        task.config.seen_classes,
    )
    write_predictions(task.site.folder / FILE, data.ids, named, novel, sure)
    records = {}
    if data.truth is not None:
        classes = len(task.config.classes)
        records[TRUTH] = {"counts": truth_counts(concepts.assigned, data, len(concepts), classes)}
    return Answer(records, metrics)


def deliver(task: Task) -> Answer:
    """There is no model to keep."""
    return Answer(metrics={"samples": len(task.data)})
