"""The base of graph methods at the server: average weights by site, add up what the benchmark counted."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from common.discovery.scores import weighted_mean
from common.methods.graph_common import G
from common.methods.plan import RoundPlan
from common.run.metrics import Final, GraphFinal
from common.run.model_files import Model
from common.run.record import RoundRecord, Score
from common.wire.records import TRUTH
from server_app.averaging import AveragingServer
from server_app.graph_scores import GraphCounts, all_scores, column_scores
from server_app.method import Outcome, Reply


class GraphServer(AveragingServer[G]):
    """Every site counts the same, however many nodes it has."""

    predictors: ClassVar[tuple[str, ...]] = ()
    """What sites are scored with, the method's own choice first."""

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._counts: dict[str, GraphCounts] = {}
        self._validation: dict[str, tuple[float, int]] = {}

    def weight_of(self, reply: Reply) -> float:
        """One, whatever the site holds."""
        return 1

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; counts by site."""
        super().fold(plan, reply)
        if TRUTH in reply.records:
            self._counts[reply.site] = reply.records[TRUTH]
        if "validation-accuracy" in reply.metrics:
            self._validation[reply.site] = (reply.scalar("validation-accuracy"), reply.samples)

    def close(self, plan: RoundPlan) -> Outcome:
        """Scores of the incoming models."""
        scores: dict[str, Score | Mapping[str, Score]] = {}
        if self._counts:
            scores |= {name: column_scores(self._counts, p) for p, name in enumerate(self.predictors)}
            scores |= column_scores(self._counts, 0)
        if self._validation:
            scores["validation"] = weighted_mean(entry for _, entry in sorted(self._validation.items()))
        return Outcome(scores)

    def beside_the_model(self) -> dict[str, NDArray[Any]]:
        """Arrays that the model folder holds beside the weights, for an institution that joins later."""
        return {}

    def final_model(self) -> Model:
        """The averaged weights and, under their own names, what else a joining institution needs."""
        return Model(self.config, {**self.weights(), **self.beside_the_model()}, None)

    def delivery_scores(self, replies: Mapping[str, Reply]) -> GraphFinal | None:
        """Scores of the final models; None outside benchmarks."""
        counts = {site: reply.records[TRUTH] for site, reply in replies.items() if TRUTH in reply.records}
        return GraphFinal(**all_scores(counts, self.predictors, self.config)) if counts else None

    def final_scores(self, history: Sequence[RoundRecord], delivered: Final | None) -> GraphFinal:
        """``final`` of ``metrics.json``: accuracies by column, and the same by model, by site and by class."""
        scores = delivered if isinstance(delivered, GraphFinal) else GraphFinal()
        return scores.model_copy(update={"categories": history[-1].categories})
