"""FedLoG as published: FedAvg, joined nodes, each class's generator (docs/fedlog.md#joining-at-the-server)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.methods.fedlog_published import (
    CLASS_COUNTS,
    GENERATOR,
    GENERATORS,
    PREDICTORS,
    SYNTHETIC,
    PublishedOptions,
    first_training_round,
)
from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.settings import RunConfig
from common.wire.records import WEIGHTS, Arrays
from server_app.graph_server import GraphServer
from server_app.method import Broadcast, Outcome, Reply
from server_app.methods.fedlog_published.condensed import join_generators, join_synthetic


class PublishedServer(GraphServer[PublishedOptions]):
    """Weights, the joined nodes and generators, and which sites have the generators."""

    predictors = PREDICTORS

    def __init__(self, config: RunConfig[PublishedOptions], place: Place) -> None:
        super().__init__(config, place)
        self._nodes: NDArray[np.float32] | None = None
        self._generators: dict[str, NDArray[np.float16]] = {}
        self._informed: set[str] = set()

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._counts_by_site: dict[str, NDArray[np.int64]] = {}
        self._nodes_by_site: dict[str, NDArray[np.float32]] = {}
        self._generators_by_site: dict[str, Arrays] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The averaged weights; the federation's nodes from the second round of training on; generators once."""
        records: dict[str, Arrays] = {}
        if plan.phase != "preparation":
            records[WEIGHTS] = self._weights
        if self._nodes is not None and plan.train:
            records[SYNTHETIC] = {"x": self._nodes}
        if self._generators and site not in self._informed:
            records[GENERATORS] = self._generators
        return Broadcast(records)

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights and counts as in FedAvg; the rest waits for the end of the round."""
        super().fold(plan, reply)
        if CLASS_COUNTS in reply.records:
            self._counts_by_site[reply.site] = reply.records[CLASS_COUNTS]["counts"]
            if SYNTHETIC in reply.records:
                self._nodes_by_site[reply.site] = reply.records[SYNTHETIC]["x"]
            if GENERATOR in reply.records:
                self._generators_by_site[reply.site] = reply.records[GENERATOR]
        if plan.train and reply.metrics.get("generators"):
            self._informed.add(reply.site)
        else:
            self._informed.discard(reply.site)

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """Join what came; where nothing did, the former stays."""
        if self._nodes_by_site:
            self._nodes = join_synthetic(self._nodes_by_site, self._counts_by_site, self.config.seed, plan.round)
        if self._generators_by_site and plan.round < first_training_round(self.config):
            self._generators = join_generators(self._generators_by_site, self._counts_by_site)
        return super().finish_round(plan)

    def snapshot(self) -> Snapshot:
        """Weights, nodes, generators, informed sites."""
        arrays = super().snapshot().arrays
        arrays |= {f"{GENERATORS}/{name}": value for name, value in self._generators.items()}
        if self._nodes is not None:
            arrays[SYNTHETIC] = self._nodes
        return Snapshot(arrays, {"informed": sorted(self._informed)})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        super().restore(snapshot)
        self._generators = snapshot.part(f"{GENERATORS}/")
        self._nodes = snapshot.arrays.get(SYNTHETIC)
        self._informed = set(snapshot.values["informed"])

    def beside_the_model(self) -> dict[str, NDArray[Any]]:
        """The federation's synthetic nodes."""
        return {} if self._nodes is None else {SYNTHETIC: self._nodes}
