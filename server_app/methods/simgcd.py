"""FedAvg of SimGCD at the server: average weights, add up the head's counts."""

import numpy as np

from common.discovery.catalogue import Catalogue
from common.methods.plan import RoundPlan
from common.methods.simgcd import SimGCDOptions
from server_app.discovery_server import DiscoveryServer
from server_app.method import Outcome, ServerMethod
from server_app.scoring import global_scores, local_scores
from server_app.sites.lay_samples import lay_out_samples


class SimGCDServer(DiscoveryServer[SimGCDOptions]):
    """The federation's weights; the head's rows are the categories."""

    def close(self, plan: RoundPlan) -> Outcome:
        """Scores of the incoming head."""
        if not self._counts:
            return Outcome()
        scores = {
            "local": local_scores(self._counts, self.config),
            "global": global_scores(self._counts, self.config),
        }
        return Outcome(scores, int((sum(c.sum(axis=1) for c in self._counts.values()) > 0).sum()))

    def catalogue(self) -> Catalogue:
        """The head's rows; the first are the seen classes."""
        rows = self._weights["head.weight"]
        k = len(rows)
        names = np.where(np.arange(k) < len(self.config.seen_classes), np.arange(k), -1)
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return Catalogue.numbered(unit, names, np.zeros(k, dtype=np.int64))


METHOD = ServerMethod(SimGCDServer, lay_out_samples)
