"""Baseline ``local-only``: FedLPA's round at one site, on the site's own network, which never leaves it."""

import numpy as np
from numpy.typing import NDArray

from client_app.method import Answer, ClientMethod, Task
from client_app.methods.fedlpa import METHOD as FEDLPA
from client_app.training.local_training import weights_of
from common.methods.discovery_common import CURVE_METRICS
from common.methods.fedlpa.spec import FedLPAOptions
from common.methods.local_only import LocalOnlyOptions, as_fedlpa
from common.models import build_network
from common.wire.records import TRUTH, WEIGHTS

NETWORK = "network"
"""The site's own network in its private state."""


def run_round(task: Task[LocalOnlyOptions]) -> Answer:
    """FedLPA's round from where the site's own network was left; scalars and the benchmark's counts leave."""
    answer = FEDLPA.run_round(_alone(task))
    if WEIGHTS in answer.records:
        task.state.remember(NETWORK, task.plan.round, answer.records[WEIGHTS])
    return _without_exchange(answer)


def deliver(task: Task[LocalOnlyOptions]) -> Answer:
    """Write the predictions of the site's own concepts, with the site's prior."""
    return _without_exchange(FEDLPA.deliver(_alone(task)))


def _alone(task: Task[LocalOnlyOptions]) -> Task[FedLPAOptions]:
    """The same work as FedLPA's, with the site's own network where the federation's would be."""
    return Task(
        config=as_fedlpa(task.config),
        plan=task.plan,
        site=task.site,
        data=task.data,
        state=task.state,
        records={WEIGHTS: _own_weights(task)},
    )


def _own_weights(task: Task[LocalOnlyOptions]) -> dict[str, NDArray[np.generic]]:
    """As they were left by the last round before this one; the first round starts from the run's seed."""
    kept = task.state.recall(NETWORK, task.plan.round)
    if kept is not None:
        return kept
    return dict(weights_of(build_network(task.config, len(task.config.seen_classes))))


def _without_exchange(answer: Answer) -> Answer:
    return Answer(
        {name: arrays for name, arrays in answer.records.items() if name == TRUTH},
        {name: value for name, value in answer.metrics.items() if name not in CURVE_METRICS},
    )


METHOD = ClientMethod(run_round, deliver)
