"""FedLoG at the server: average weights, hand every site the union of all slots once (docs/fedlog.md#slots)."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.methods.fedlog.slots import GROUPS, SLOTS, Slots, join_slots, slots_from
from common.methods.fedlog.spec import PREDICTORS, WANTED, FedLoGOptions
from common.methods.graph_common import features
from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.settings import RunConfig
from common.wire.records import flattened, nested
from server_app.graph_server import GraphServer
from server_app.method import Broadcast, Outcome, Reply, ServerMethod
from server_app.sites.lay_graphs import lay_out_graphs

log = logging.getLogger("fedlpa.server")
MODEL_PREFIX = "slots/"


class FedLoGServer(GraphServer[FedLoGOptions]):
    """Weights, the slots by site, and which sites have the current union."""

    predictors = PREDICTORS

    def __init__(self, config: RunConfig[FedLoGOptions], place: Place) -> None:
        super().__init__(config, place)
        self._slots: dict[str, Slots] = {}
        self._arrived: dict[str, Slots] = {}
        self._informed: set[str] = set()

    def union(self) -> Slots | None:
        """All sites' slots, in the order of their names; None before there are any."""
        return join_slots([self._slots[site] for site in sorted(self._slots)]) if self._slots else None

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The averaged weights; the slots' union to a site that lacks it; a request for slots to one that owes them."""
        sent = super().broadcast(plan, site)
        if not self.config.options.share_slots:
            return sent
        records = dict(sent.records)
        if site not in self._slots and plan.train:
            records[WANTED] = {"round": np.array([plan.round], dtype=np.int64)}
        union = self.union()
        if union is not None and site not in self._informed:
            records |= union.records()
        return Broadcast(records)

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights and counts as in FedAvg; slots wait for the end of the round, so that all sites get the same."""
        super().fold(plan, reply)
        if SLOTS in reply.records and GROUPS in reply.records:
            self._arrived[reply.site] = slots_from(reply.records, features(self.config))
        union = self.union()
        if union is not None and reply.metrics.get("slots") == len(union):
            self._informed.add(reply.site)

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """Take in new slots; then everybody needs the union again."""
        if self._arrived:
            self._slots |= self._arrived
            self._arrived = {}
            self._informed = set()
            log.info("slots of %d sites, %d in all", len(self._slots), sum(len(s) for s in self._slots.values()))
        return super().finish_round(plan)

    def snapshot(self) -> Snapshot:
        """Weights, slots by site, informed sites."""
        arrays = super().snapshot().arrays
        for site, slots in self._slots.items():
            arrays |= {f"site/{site}/{name}": value for name, value in flattened(slots.records()).items()}
        return Snapshot(arrays, {"informed": sorted(self._informed)})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        super().restore(snapshot)
        width = features(self.config)
        self._slots = {site: slots_from(nested(own), width) for site, own in nested(snapshot.part("site/")).items()}
        self._informed = set(snapshot.values["informed"])

    def beside_the_model(self) -> dict[str, NDArray[Any]]:
        """The union of the slots, for an institution that joins later (``fedlpa site adapt``)."""
        union = self.union()
        records = {} if union is None else union.records()
        return {f"{MODEL_PREFIX}{name}": value for name, value in flattened(records).items()}


METHOD = ServerMethod(FedLoGServer, lay_out_graphs)
