"""What a method at a client gets, and what it gives back. Methods never see Flower's messages."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from client_app.site import Site
from client_app.site_data import SiteData
from client_app.state import PrivateState
from common.config import RunConfig
from common.methods.plan import RoundPlan

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Task:
    """One round at one site."""

    config: RunConfig
    plan: RoundPlan
    site: Site
    data: SiteData
    state: PrivateState
    records: Mapping[str, Arrays]
    """The server's array records by name: the global weights and whatever else the method broadcasts."""
    curve: tuple[float, ...] | None
    """The federation's calibration curve, once there is one."""

    @property
    def seed(self) -> int:
        """Differs by site and round and repeats with the run's seed."""
        mixed = [self.config.seed, zlib.crc32(self.site.name.encode()), self.plan.round]
        return int(np.random.default_rng(mixed).integers(2**31))


@dataclass(frozen=True)
class Answer:
    """What would leave the site if the guard lets it: array records and scalars (or short lists) by name."""

    records: Mapping[str, Arrays] = field(default_factory=dict)
    metrics: Mapping[str, float | int | list[float]] = field(default_factory=dict)
