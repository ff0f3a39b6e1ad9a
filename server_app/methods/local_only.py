"""The baseline without exchange at the server: it adds up what the sites report, and has nothing to give."""

from common.methods.plan import RoundPlan
from server_app.method import Outcome
from server_app.methods.local_infomap import LocalInfomapServer


class LocalOnlyServer(LocalInfomapServer):
    """The same over many rounds: every round is scored on its own replies."""

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """The local scores of this round."""
        outcome = super().finish_round(plan)
        self._counts, self._concepts = {}, {}
        return outcome
