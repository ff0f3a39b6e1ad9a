"""FedAvg of SimGCD at the server: average weights, add up the head's counts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import RunConfig
from common.discovery.catalogue import Catalogue, number_by_size
from common.discovery.scores import Counts
from common.methods.plan import RoundPlan
from common.methods.simgcd import head_rows
from common.wire.records import TRUTH, WEIGHTS
from server_app.aggregate.robust import make_aggregate
from server_app.method import Arrays, Outcome, Reply, Snapshot
from server_app.scoring import global_scores, local_scores, score_dict
from server_app.weights import initial_weights


class SimGCDServer:
    """The federation's weights; the head's rows are the categories."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.k = head_rows(config)
        self._weights = initial_weights(config, self.k)
        self._reset()

    def _reset(self) -> None:
        self._mean = make_aggregate(self.config)
        self._counts: dict[str, Counts] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> tuple[dict[str, Arrays], tuple[float, ...] | None]:
        """The global weights."""
        return {WEIGHTS: self._weights}, None

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean, counts by site."""
        if WEIGHTS in reply.records:
            self._mean.add(reply.records[WEIGHTS], reply.samples)
        if TRUTH in reply.records:
            self._counts[reply.site] = reply.records[TRUTH]["counts"]

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """Scores of the incoming head, then the new mean."""
        scores: dict[str, Any] = {}
        found = None
        if self._counts:
            scores = {
                "local": score_dict(local_scores(self._counts, self.config)),
                "global": score_dict(global_scores(self._counts, self.config)),
            }
            found = int((sum(c.sum(axis=1) for c in self._counts.values()) > 0).sum())
        self._weights = self._mean.result(plan.round) or self._weights
        self._reset()
        return Outcome(scores, found)

    def snapshot(self) -> Snapshot:
        """The weights."""
        return Snapshot(dict(self._weights), {})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        self._weights = dict(snapshot.arrays)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The global model's tensors."""
        return self._weights

    def catalogue(self) -> Catalogue:
        """The head's rows; the first are the seen classes."""
        rows = self._weights["head.weight"]
        names = np.where(np.arange(self.k) < len(self.config.seen_classes), np.arange(self.k), -1)
        counts = np.zeros(self.k, dtype=np.int64)
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return Catalogue(unit, names, number_by_size(names, counts), counts)
