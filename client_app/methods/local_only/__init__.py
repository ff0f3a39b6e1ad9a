"""Baseline ``local-only``: FedLPA's round at one site, on the site's own network, which never leaves it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from client_app.method import Answer, Task
from client_app.methods import fedlpa
from client_app.methods.fedlpa.memory import recall, remember
from client_app.training.local_training import weights_of
from common.methods.local_only import as_fedlpa
from common.models import build_network
from common.wire.records import CURVE_METRICS, TRUTH, WEIGHTS

NETWORK = "network"
"""The site's own network in its private state."""


def run_round(task: Task) -> Answer:
    """FedLPA's round from where the site's own network was left; scalars and the benchmark's counts leave."""
    answer = fedlpa.run_round(_alone(task))
    if WEIGHTS in answer.records:
        remember(task.state, NETWORK, answer.records[WEIGHTS], {"round": task.plan.round})
    return _without_exchange(answer)


def deliver(task: Task) -> Answer:
    """Write the predictions of the site's own concepts, with the site's prior."""
    return _without_exchange(fedlpa.deliver(_alone(task)))


def _alone(task: Task) -> Task:
    """The same work as FedLPA's, with the site's own network where the federation's would be."""
    return replace(task, config=as_fedlpa(task.config), records={WEIGHTS: _own_weights(task)}, curve=None)


def _own_weights(task: Task) -> dict[str, NDArray[np.generic]]:
    """As they were left by the last round before this one; the first round starts from the run's seed."""
    kept = recall(task.state, NETWORK, task.plan.round)
    if kept is not None:
        return kept
    return dict(weights_of(build_network(task.config, len(task.config.seen_classes))))


def _without_exchange(answer: Answer) -> Answer:
    return Answer(
        {name: arrays for name, arrays in answer.records.items() if name == TRUTH},
        {name: value for name, value in answer.metrics.items() if name not in CURVE_METRICS},
    )
