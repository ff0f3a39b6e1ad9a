"""Which slots a site has: its own, made the same way in every round, and the federation's, kept once they came."""

import zlib

import numpy as np

from client_app.graphs.neighbourhoods import GraphTensors
from client_app.graphs.node_data import graph_data
from client_app.graphs.node_training import column_moments
from client_app.method import Task
from client_app.methods.fedlog.condensation import condense
from client_app.methods.fedlog.slot_attack import FILE, slot_privacy
from client_app.policy import support_floor
from common.files import write_json
from common.methods.fedlog.slots import GROUPS, SLOTS, Slots, slots_from
from common.methods.fedlog.spec import FedLoGOptions
from common.methods.graph_common import TABLE, features


def own_slots(task: Task[FedLoGOptions], graph: GraphTensors) -> Slots:
    """The site's condensed training nodes. A policy's ``min-samples`` raises the smallest group.

    On tables, clipping and noise are in units of the site's own columns.
    """
    options, data = task.config.options, graph_data(task)
    return condense(
        graph,
        data.labels,
        data.train,
        np.random.default_rng([task.config.seed, zlib.crc32(task.site.name.encode())]),
        group_size=options.group_size,
        min_group=support_floor(task.site, task.config.method, options.min_group),
        most=options.slots_per_class,
        clip=options.slot_clip,
        noise=options.slot_noise,
        units=column_moments(data) if task.config.kind == TABLE else None,
    )


def slots_to_send(task: Task[FedLoGOptions], graph: GraphTensors) -> Slots:
    """The site's slots; what they tell about its nodes is measured and written down here, and stays here."""
    slots, data = own_slots(task, graph), graph_data(task)
    write_json(task.site.folder / FILE, slot_privacy(slots, graph, data.labels, data.train, data.validation))
    return slots


def known_slots(task: Task[FedLoGOptions], graph: GraphTensors) -> Slots:
    """The federation's slots: as they just came, or as they were kept; before there are any, the site's own."""
    state, kinds = task.state, (SLOTS, GROUPS)
    if SLOTS in task.records:
        state.keep({kind: task.records[kind] for kind in kinds})
        return slots_from(task.records, features(task.config))
    if state.kept(SLOTS):
        return slots_from({kind: state.kept(kind) for kind in kinds}, features(task.config))
    return own_slots(task, graph)
