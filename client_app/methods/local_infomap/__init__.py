"""Baseline ``local-infomap``: CLCD on a site's raw inputs; nothing is trained, nothing is shared.

Where a pretrained backbone is configured, its features take the place of pixels.
"""

import time

import torch

from client_app.discovery.clcd import calibrate, discover
from client_app.evaluation import health
from client_app.method import Answer, ClientMethod, Task
from client_app.outcome import conclude
from common.discovery.catalogue import number_by_size
from common.methods.local_infomap import LocalInfomapOptions
from common.models import raw_inputs
from common.wire.records import Metric


def run_round(task: Task[LocalInfomapOptions]) -> Answer:
    """Discover on the inputs, write the site's predictions, answer with scalars."""
    options, data = task.config.options, task.data
    started = time.perf_counter()
    z_ND = torch.nn.functional.normalize(raw_inputs(task.config, data.x), dim=1)
    centre_D = z_ND.mean(dim=0)
    own = calibrate(z_ND, data.labels, centre_D, options, seed=task.config.seed)
    concepts, resolution = discover(z_ND, data.labels, centre_D, options, seed=task.config.seed, own=own)
    metrics: dict[str, Metric] = {
        **data.size,
        "concepts": len(concepts),
        "resolution": resolution,
        "discovery-seconds": time.perf_counter() - started,
        **health(z_ND, centre_D, concepts, None),
    }
    numbers = number_by_size(concepts.names, concepts.counts)
    records = conclude(task, concepts.names, numbers, concepts.assigned, concepts.confidence(z_ND, centre_D))
    return Answer(records, metrics)


def deliver(task: Task[LocalInfomapOptions]) -> Answer:
    """There is no model to keep."""
    return Answer(metrics={"samples": len(task.data)})


METHOD = ClientMethod(run_round, deliver)
