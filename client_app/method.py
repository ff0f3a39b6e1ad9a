"""What a method at a client is, what it gets, and what it gives back. Methods never see Flower's messages."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic

import numpy as np
import torch

from client_app.bounded_mean import FEWEST
from client_app.policy import support_floor
from client_app.site import RealSite, Site
from client_app.site_data import SiteData, load_samples
from client_app.site_secret import secret_generator
from client_app.state import PrivateState
from common.methods.plan import RoundPlan
from common.settings import AnyConfig, O, O_co, RunConfig
from common.wire.records import Metrics, Records


@dataclass(frozen=True)
class Task(Generic[O_co]):
    """One round at one site."""

    config: RunConfig[O_co]
    plan: RoundPlan
    site: Site
    data: SiteData
    state: PrivateState
    records: Records
    """The server's array records by name: the global weights and whatever else the method broadcasts."""
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Short lists of numbers from the method's server."""

    @property
    def seed(self) -> int:
        """Differs by site and round and repeats with the run's seed."""
        mixed = [self.config.seed, zlib.crc32(self.site.name.encode()), self.plan.round]
        return int(np.random.default_rng(mixed).integers(2**31))

    def noise(self, purpose: str) -> np.random.Generator:
        """Generator of the noise on what leaves in this round for one ``purpose``.

        At an institution nobody else can draw from it; in a simulation it repeats with the run's seed.
        """
        if isinstance(self.site, RealSite):
            return secret_generator(self.site.home, f"{self.site.folder.name}/{self.plan.round}/{purpose}")
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    @property
    def fewest(self) -> int:
        """How many samples must stand behind a mean that leaves: ``FEWEST``, raised by a site's policy."""
        return support_floor(self.site, self.config.method, FEWEST)

    @property
    def device(self) -> torch.device:
        """Where the site computes; ``auto`` is CUDA where there is one."""
        name = self.config.device
        return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


@dataclass(frozen=True)
class Answer:
    """What would leave the site if the guard lets it: array records and scalars (or short lists) by name."""

    records: Records = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class ClientMethod(Generic[O]):
    """A method at a client: ``METHOD`` of its room in ``client_app.methods``."""

    run_round: Callable[[Task[O]], Answer]
    """Evaluate the incoming model, discover if due, train; one message a round."""
    deliver: Callable[[Task[O]], Answer]
    """Take the final model: write it and this site's predictions to the site's disk."""
    load_data: Callable[[Site, AnyConfig], SiteData] = load_samples
    """Read and check the site's data against the run.

    Raises:
        InputError: the data cannot be read or does not fit the run.
    """
