"""What a site sends of its synthetic nodes and its classes. Condensed data is not private: what is sent is measured."""

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from client_app.graphs.node_data import graph_data
from client_app.method import Task
from client_app.methods.fedlog.condensation import clip_rows
from client_app.methods.fedlog.slot_attack import FILE, measure
from client_app.policy import support_floor
from common.files import write_json
from common.methods.fedlog_published import CLASS_COUNTS, SYNTHETIC, PublishedOptions

Records = dict[str, Mapping[str, NDArray[np.generic]]]


def shown_counts(task: Task[PublishedOptions]) -> NDArray[np.int64]:
    """[C], labelled training nodes; 0 for classes with fewer than ``min-group`` or the policy's ``min-samples``."""
    counts_C = graph_data(task).train_counts(len(task.config.seen_classes))
    floor = support_floor(task.site, task.config.method, task.config.options.min_group)
    return np.where(counts_C >= floor, counts_C, 0)


def counts_record(task: Task[PublishedOptions]) -> Records:
    """The class counts, from which the server makes class rates."""
    return {CLASS_COUNTS: {"counts": shown_counts(task)}}


def synthetic_record(task: Task[PublishedOptions], head_CSF: NDArray[np.float32]) -> Records:
    """The head branch's nodes [C, s, F], clipped and with noise as the options say.

    Classes that the site has some nodes of, but too few to show, are sent as zeros.
    """
    options = task.config.options
    counts_C = graph_data(task).train_counts(len(task.config.seen_classes))
    x_CSF = head_CSF.astype(np.float64)
    if options.slot_clip is not None:
        x_CSF = clip_rows(x_CSF, options.slot_clip)
    if options.slot_noise:
        place = [task.config.seed, task.plan.round, zlib.crc32(task.site.name.encode())]
        x_CSF = x_CSF + np.random.default_rng(place).normal(0.0, options.slot_noise, x_CSF.shape)
    x_CSF[(counts_C > 0) & (shown_counts(task) == 0)] = 0.0
    return {SYNTHETIC: {"x": x_CSF.astype(np.float32)}}


def write_privacy(task: Task[PublishedOptions], sent_CSF: NDArray[np.float32]) -> None:
    """``slot-privacy.json``, which stays here: what the condensed nodes tell about the nodes that trained them."""
    data, shown = graph_data(task), shown_counts(task) > 0
    known = np.repeat(np.arange(len(shown)), sent_CSF.shape[1])[np.repeat(shown, sent_CSF.shape[1])]
    rows = sent_CSF[shown].reshape(-1, sent_CSF.shape[2])
    found = measure(rows, known, data.x.numpy(), data.labels, data.train, data.validation)
    counts_C = shown_counts(task)
    smallest = int(counts_C[shown].min()) if shown.any() else None
    write_json(task.site.folder / FILE, {**found, "smallest_group": smallest, "slots": len(rows)})
