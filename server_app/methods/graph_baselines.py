"""Graph methods at the server: average weights by site, add up what the benchmark counted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import RunConfig
from common.methods.graph_baselines import ALONE, AVERAGED
from common.methods.graph_common import features, graph_options
from common.methods.plan import RoundPlan
from common.wire.records import TRUTH, WEIGHTS
from server_app.aggregate.robust import make_aggregate
from server_app.graph_scores import GraphCounts, column_scores
from server_app.method import Arrays, Outcome, Reply, Snapshot


class GraphServer:
    """The federation's weights; every site counts the same, however many nodes it has (docs/fedlog.md#training)."""

    predictors: tuple[str, ...] = ()

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self._weights = self._initial()
        self._reset()

    def _initial(self) -> dict[str, NDArray[np.float32]]:
        from common.models.graph_sage import build_graph_sage

        config = self.config
        network = build_graph_sage(
            features(config), len(config.seen_classes), config.seed, graph_options(config).dropout, self._cosine()
        )
        return {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    def _cosine(self) -> bool:
        return False

    def _reset(self) -> None:
        self._mean = make_aggregate(self.config)
        self._counts: dict[str, GraphCounts] = {}
        self._validation: dict[str, tuple[float, int]] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> tuple[dict[str, Arrays], tuple[float, ...] | None]:
        """The averaged weights."""
        return {WEIGHTS: self._weights}, None

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; counts by site."""
        if WEIGHTS in reply.records:
            self._mean.add(reply.records[WEIGHTS], 1)
        if TRUTH in reply.records:
            self._counts[reply.site] = reply.records[TRUTH]
        if "validation-accuracy" in reply.metrics:
            self._validation[reply.site] = (float(reply.metrics["validation-accuracy"]), reply.samples)

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """Scores of the incoming models, then the new mean."""
        scores: dict[str, Any] = {}
        if self._counts:
            scores = {name: column_scores(self._counts, p) for p, name in enumerate(self.predictors)}
            scores |= column_scores(self._counts, 0)
        known = [entry for _, entry in sorted(self._validation.items())]
        if known:
            scores["validation"] = sum(value * n for value, n in known) / sum(n for _, n in known)
        self._weights = self._mean.result(plan.round) or self._weights
        self._reset()
        return Outcome(scores)

    def snapshot(self) -> Snapshot:
        """The weights."""
        return Snapshot({f"weights/{name}": value for name, value in self._weights.items()}, {})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        self._weights = {
            name.removeprefix("weights/"): value
            for name, value in snapshot.arrays.items()
            if name.startswith("weights/")
        }

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The averaged model's tensors."""
        return self._weights

    def beside_the_model(self) -> dict[str, NDArray[Any]]:
        """Arrays that the model folder holds beside the weights."""
        return {}

    def catalogue(self) -> None:
        """Classes are known; there is nothing to discover."""


class GraphFedAvgServer(GraphServer):
    """FedAvg and FedProx."""

    predictors = AVERAGED


class GraphLocalServer(GraphServer):
    """No federation: the server only adds up what the sites report."""

    predictors = ALONE

    def _initial(self) -> dict[str, NDArray[np.float32]]:
        return {}

    def broadcast(self, plan: RoundPlan, site: str) -> tuple[dict[str, Arrays], tuple[float, ...] | None]:
        """Nothing."""
        return {}, None
