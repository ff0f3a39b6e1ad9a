"""The baseline without a federation: the server only adds up what the sites report."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import RunConfig
from common.discovery.scores import Counts
from common.methods.plan import RoundPlan
from common.wire.records import TRUTH
from server_app.method import Arrays, Outcome, Reply, Snapshot
from server_app.scoring import local_scores, score_dict


class LocalInfomapServer:
    """Local scores only: concepts of different sites have nothing to do with each other."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self._counts: dict[str, Counts] = {}
        self._concepts: dict[str, int] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> tuple[dict[str, Arrays], tuple[float, ...] | None]:
        """Nothing."""
        return {}, None

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Counts and number of concepts by site."""
        if TRUTH in reply.records:
            self._counts[reply.site] = reply.records[TRUTH]["counts"]
        if "concepts" in reply.metrics:
            self._concepts[reply.site] = int(reply.metrics["concepts"])

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """The local scores."""
        scores: dict[str, Any] = {}
        if self._counts:
            scores["local"] = score_dict(local_scores(self._counts, self.config))
        return Outcome(scores, None, self._concepts)

    def snapshot(self) -> Snapshot:
        """There is one round and nothing to keep."""
        return Snapshot({}, {})

    def restore(self, snapshot: Snapshot) -> None:
        """Nothing to go on from."""

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """No model."""
        return {}

    def catalogue(self) -> None:
        """No shared categories."""
