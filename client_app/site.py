"""Where a client finds its own things: the data, the folder for its private state, a benchmark's truth."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from flwr.app import Context

from client_app.site_config import SiteConfig, load_site_config
from common.errors import InputError
from common.place import Deployment, Place, Simulation
from common.settings import O, RunConfig, SiteOptions

PARTITION = "partition-id"
SITE_CONFIG = "site-config"
"""Keys of Flower's node configuration: a simulated site's number; the path of a real site's ``site.toml``."""
RUNS = "runs"
"""Folder of the private state, with a folder for each run."""
RUN_NAME = r"[0-9a-f]{8,64}"
"""What a run may be called: the name becomes a folder's."""


@dataclass(frozen=True)
class SimulatedSite:
    """A site of a simulation: a folder of whoever runs it. The wire contract alone applies, and the truth is there."""

    name: str
    index: int
    data: Path
    folder: Path
    """Private state, predictions and log."""
    truth: Path
    place: Simulation

    @property
    def home(self) -> Path:
        """Where the log is: a simulation is one run, so everything is in one folder."""
        return self.folder

    def configure(self, config: RunConfig[O]) -> RunConfig[O]:
        """The run's configuration as it is: a simulation's sites have nothing of their own."""
        return config


@dataclass(frozen=True)
class RealSite:
    """An institution. Where its policy file is missing or unreadable, everything is refused."""

    name: str
    data: Path
    folder: Path
    """Private state and predictions of one run; of no run yet, the site's ``home``."""
    policy: Path
    own: SiteOptions = field(default_factory=SiteOptions)
    place: Deployment = field(default_factory=Deployment)

    @property
    def home(self) -> Path:
        """What outlasts runs: log, audit, account, the results of the run that was last."""
        return self.folder.parent.parent if self.folder.parent.name == RUNS else self.folder

    def in_run(self, run: str) -> "RealSite":
        """The same site as it takes part in the run of that name."""
        return replace(self, folder=self.home / RUNS / run)

    def configure(self, config: RunConfig[O]) -> RunConfig[O]:
        """The run's configuration with what is the site's alone, whatever the server's message says of it."""
        return config.at_site(self.own)


Site = SimulatedSite | RealSite


def simulated_site(place: Simulation, index: int) -> SimulatedSite:
    """Site ``index`` of a simulation; those of graph methods hold ``.npz`` files."""
    folder = place.root / f"site-{index}"
    data, truth = (_either(folder / f"{name}.npz", folder / f"{name}.parquet") for name in ("data", "truth"))
    return SimulatedSite(f"site-{index}", index, data, folder, truth, place)


def _either(first: Path, second: Path) -> Path:
    return first if first.exists() else second


def real_site(config: SiteConfig) -> RealSite:
    """The institution that ``site.toml`` describes."""
    return RealSite(config.name, config.data, config.state, config.policy, config.own)


def configured(context: Context) -> SiteConfig | None:
    """What ``site.toml`` says of the institution that this node stands for; None in a simulation.

    Raises:
        InputError: the file cannot be used.
    """
    path = context.node_config.get(SITE_CONFIG)
    return None if path is None else load_site_config(Path(str(path)))


def site_of(context: Context, place: Place, run: str = "") -> Site:
    """The site that this node stands for, in the ``run`` of that name. A configured site stays itself, whatever a
    message says.

    Raises:
        InputError: the node is neither simulated nor configured.
    """
    config = configured(context)
    if config is not None:
        return real_site(config).in_run(run) if run else real_site(config)
    partition = context.node_config.get(PARTITION)
    if isinstance(place, Simulation) and partition is not None and re.fullmatch(r"\d+", str(partition)):
        return simulated_site(place, int(partition))
    raise InputError("this node has no site configuration; start it with 'fedlpa site start --config site.toml'.")
