"""The base of methods whose sites send weights: the weights, their mean over a round, and how both are kept."""

from typing import Generic

import numpy as np
from numpy.typing import NDArray

from common.methods.plan import RoundPlan
from common.methods.registry import get_method
from common.place import Place
from common.run.checkpoint import Snapshot
from common.settings import O, RunConfig
from common.wire.records import WEIGHTS
from server_app.aggregate.robust import make_aggregate
from server_app.method import Broadcast, Outcome, Reply


class AveragingServer(Generic[O]):
    """A method says how much a reply weighs, and what a closed round comes to."""

    def __init__(self, config: RunConfig[O], place: Place) -> None:
        self.config, self.place = config, place
        self._weights = dict(get_method(config.method).initial_weights(config))
        self.forget_replies()

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        self._mean = make_aggregate(self.config, self.place)

    def weight_of(self, reply: Reply) -> float:
        """How much a reply weighs in the mean."""
        return reply.samples

    def close(self, plan: RoundPlan) -> Outcome:
        """What the replies of a round come to, before its mean takes the place of the weights."""
        return Outcome()

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The global weights, where there are any."""
        return Broadcast({WEIGHTS: self._weights} if self._weights else {})

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean."""
        if WEIGHTS in reply.records:
            self._mean.add(reply.records[WEIGHTS], self.weight_of(reply))

    def finish_round(self, plan: RoundPlan) -> Outcome:
        """Close the round; where nobody sent weights the former stay."""
        outcome = self.close(plan)
        self._weights = self._mean.result(plan.round) or self._weights
        self.forget_replies()
        return outcome

    def snapshot(self) -> Snapshot:
        """The weights."""
        return Snapshot({f"weights/{name}": value for name, value in self._weights.items()}, {})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        self._weights = snapshot.part("weights/")

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The global model's tensors."""
        return self._weights
