"""What a method declares to both sides: its settings, its rounds, and what may leave a site."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic

from common.methods.plan import RoundPlan
from common.place import Place
from common.settings import O, RunConfig
from common.wire.contract import Contract
from common.wire.records import Arrays


@dataclass(frozen=True)
class MethodSpec(Generic[O]):
    """One method. Its code is found at each side in the room of the same name (``common.methods.registry``)."""

    name: str
    summary: str
    options: type[O]
    plan: Callable[[RunConfig[O], int], RoundPlan]
    """What happens in a round, by its number from 1; after the last comes the delivery of the model."""
    contract: Callable[[RunConfig[O], Place], Contract]
    """What may leave a site.

    Raises:
        InputError: settings with which the method cannot run.
    """
    initial_weights: Callable[[RunConfig[O]], Arrays] = lambda config: {}
    """The global model's tensors before the first round, by the run's seed: the server starts with them, and a site
    checks that it did. None where nothing is averaged."""
    rounds: Callable[[RunConfig[O]], int] = lambda config: config.rounds
    pooled: bool = False
    """Whether the method is no federation: a simulation then merges all sites into one."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Shared settings whose defaults differ for this method, by kebab-case key."""
    embeds_samples: bool = True
    """Whether the model maps single samples to features, as ``fedlpa predict`` and the report's map need it."""
