"""The base of the category-discovery methods at the server: counts by truth, concepts, and what a run comes to."""

from collections.abc import Mapping, Sequence

from common.discovery.catalogue import Catalogue
from common.discovery.scores import Counts
from common.methods.plan import RoundPlan
from common.run.metrics import DiscoveryFinal, Final, Scopes, Split
from common.run.model_files import Model
from common.run.record import RoundRecord, Scores
from common.settings import O
from common.wire.records import TRUTH
from server_app.averaging import AveragingServer
from server_app.method import Outcome, Reply
from server_app.scoring import global_scores, local_scores


class DiscoveryServer(AveragingServer[O]):
    """Adds up what benchmarks count and sites report. By itself the server of methods that share nothing."""

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._counts: dict[str, Counts] = {}
        self._concepts: dict[str, int] = {}

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; counts and numbers of concepts wait for the end of the round."""
        super().fold(plan, reply)
        if TRUTH in reply.records:
            self._counts[reply.site] = reply.records[TRUTH]["counts"]
        if "concepts" in reply.metrics:
            self._concepts[reply.site] = int(reply.scalar("concepts"))

    def close(self, plan: RoundPlan) -> Outcome:
        """Local scores only: concepts of different sites have nothing to do with each other."""
        local = {"local": local_scores(self._counts, self.config)} if self._counts else {}
        return Outcome(local, None, self._concepts)

    def catalogue(self) -> Catalogue | None:
        """The federation's categories, where it has any."""
        return None

    def final_model(self) -> Model:
        """The global weights and the federation's catalogue."""
        return Model(self.config, self.weights(), self.catalogue())

    def delivery_scores(self, replies: Mapping[str, Reply]) -> DiscoveryFinal | None:
        """Scores of the sites' own final predictions; None outside benchmarks."""
        counts = {site: reply.records[TRUTH]["counts"] for site, reply in replies.items() if TRUTH in reply.records}
        if not counts:
            return None
        shared = self.catalogue() is not None
        return DiscoveryFinal(
            global_=_split(global_scores(counts, self.config) if shared else None),
            local=_split(local_scores(counts, self.config)),
        )

    def final_scores(self, history: Sequence[RoundRecord], delivered: Final | None) -> DiscoveryFinal:
        """``final`` of ``metrics.json``.

        ``global`` and ``local`` score the sites' own final predictions (the catalogue with the site's prior) where
        the method makes them, else the last discovery's concepts; ``concepts`` holds those in any case.
        """
        last = history[-1]
        discovered = next((record.scores for record in reversed(history) if "concepts" in record.scores), last.scores)
        scopes = delivered if isinstance(delivered, Scopes) else _scopes(last.scores)
        return DiscoveryFinal(
            global_=scopes.global_,
            local=scopes.local,
            concepts=_scopes(discovered),
            seen_accuracy=last.scores["seen_accuracy"],
            categories=last.categories,
        )


def _scopes(scores: Scores) -> Scopes:
    return Scopes(global_=_split(scores["global"]), local=_split(scores["local"]))


def _split(scores: object) -> Split:
    return Split.model_validate(scores or {})
