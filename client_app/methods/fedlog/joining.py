"""An institution that took no part personalises the final model on its own data and the run's slots."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from client_app.graphs.node_data import graph_data, load_graph_data
from client_app.graphs.node_scores import SEEN
from client_app.graphs.node_training import (
    make_network,
    plain,
    site_tensors,
    train_locally,
    validation_accuracy,
)
from client_app.method import Task
from client_app.methods.fedlog.delivery import OWN_PREFIX, write_results
from client_app.methods.fedlog.slot_training import slot_tensors, training_prior
from client_app.site import RealSite
from client_app.state import PrivateState
from common.errors import InputError
from common.methods.fedlog.slots import GROUPS, SLOTS, Slots, slots_from
from common.methods.fedlog.spec import FEDLOG, FedLoGOptions
from common.methods.graph_common import features
from common.run.model_files import Model, load_model
from common.settings import build_config

SLOT_PREFIX = "slots/"


@dataclass(frozen=True)
class Joined:
    """Accuracy on the site's validation nodes: of the model as it came, and after; how many nodes each way."""

    before: float | None
    after: float | None
    trained: int
    validated: int
    slots: int


def join(
    model: Path, data: Path, out: Path, *, epochs: int = 20, seed: int = 0, label_column: str | None = None
) -> Joined:
    """Adapt the FedLoG model in ``model`` to ``data``; write ``model/`` and ``predictions.parquet`` below ``out``.

    A copy of the averaged model trains ``epochs`` passes over the site's training nodes and the run's slots, as the
    own model of a participant does; predictions are those of a participant.

    Args:
        label_column: a table's; None: as at the site whose model this is.

    Raises:
        InputError: not a FedLoG model, data that does not fit it, or an ``out`` that is taken.
    """
    loaded = load_model(model)
    if not isinstance(loaded.config.options, FedLoGOptions):
        raise InputError(f"{model} comes from method {loaded.config.method}; adapt a model of fedlog.")
    if not data.exists():
        raise InputError(f"{data} does not exist; check the path.")
    if (out / "model").exists():
        raise InputError(f"{out / 'model'} is already there; choose another --out.")
    settings: dict[str, object] = {"seed": seed}
    if label_column is not None:
        settings["label-column"] = label_column
    task = _task(loaded, data, out, settings)
    site, config = graph_data(task), task.config
    graph, options = site_tensors(task), config.options
    shared = _network_tensors(loaded)
    averaged = make_network(task, shared, options.cosine_head)
    own = make_network(task, shared, options.cosine_head)
    slots = _slots(loaded)
    prior_C = training_prior(site.train_counts(len(config.seen_classes)))
    before = validation_accuracy(site, plain(averaged)(graph, SEEN))
    for epoch in range(epochs):
        train_locally(
            task,
            own,
            graph,
            slots=slot_tensors(slots, graph.x_NF.device),
            log_prior_C=torch.tensor(options.tau * np.log(prior_C), dtype=torch.float32),
            slot_weight=options.slot_weight,
            seed=epoch,
        )
    after = validation_accuracy(site, write_results(task, graph, averaged, own))
    return Joined(before, after, int(site.train.sum()), int(site.validation.sum()), len(slots))


def _task(model: Model, data: Path, out: Path, settings: dict[str, object]) -> Task[FedLoGOptions]:
    config = build_config(FedLoGOptions, {**model.config.flat(), **settings})
    site = RealSite("joining", data, out, policy=out / "policy.yaml")  # nothing leaves, so none is needed
    plan = FEDLOG.plan(config, config.rounds)
    loaded = load_graph_data(site, config)
    return Task(
        config=config,
        plan=replace(plan, phase="training", train=True),
        site=site,
        data=loaded,
        state=PrivateState(out, loaded.fingerprint),
        records={},
    )


def _network_tensors(model: Model) -> dict[str, NDArray[np.float32]]:
    return {name: array for name, array in model.weights.items() if not name.startswith((SLOT_PREFIX, OWN_PREFIX))}


def _slots(model: Model) -> Slots:
    """The run's slots; none where the run shared none."""
    records: dict[str, dict[str, NDArray[np.generic]]] = {SLOTS: {}, GROUPS: {}}
    for kind in records:
        prefix = f"{SLOT_PREFIX}{kind}/"
        records[kind] = {n.removeprefix(prefix): a for n, a in model.weights.items() if n.startswith(prefix)}
    width = features(model.config)
    if not all(records.values()):
        none = np.zeros((0, width), dtype=np.float32)
        return Slots(none, none, none, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return slots_from(records, width)
