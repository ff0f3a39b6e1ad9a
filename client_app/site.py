"""Where a client finds its own things: the data, the folder for its private state, a benchmark's truth."""

import re
from dataclasses import dataclass
from pathlib import Path

from flwr.app import Context

from client_app.site_config import SiteConfig, load_site_config
from common.errors import InputError

PARTITION = "partition-id"
SITE_CONFIG = "site-config"
"""Keys of Flower's node configuration: a simulated site's number; the path of a real site's ``site.toml``."""


@dataclass(frozen=True)
class Site:
    """One institution: ``folder`` holds its private state, predictions and log; ``truth`` exists in benchmarks.

    ``policy`` is the site's own policy file. A simulated site has none (None): it is a benchmark whose sites
    belong to one person, and the wire contract alone applies. A real site always names one, and where it is
    missing or unreadable everything is refused.
    """

    name: str
    index: int | None
    data: Path
    folder: Path
    truth: Path | None = None
    policy: Path | None = None
    label_column: str | None = None

    @property
    def has_data(self) -> bool:
        """Whether the site got any samples at all."""
        return self.data.exists()


def simulated_site(root: Path, index: int) -> Site:
    """Site ``index`` of a simulation whose sites lie below ``root``."""
    folder = root / f"site-{index}"
    data, truth = (_either(folder / f"{name}.npz", folder / f"{name}.parquet") for name in ("data", "truth"))
    return Site(f"site-{index}", index, data, folder, truth if truth.exists() else None)


def _either(first: Path, second: Path) -> Path:
    """Sites of graph methods hold ``.npz`` files."""
    return first if first.exists() else second


def real_site(config: SiteConfig) -> Site:
    """The institution that ``site.toml`` describes."""
    return Site(config.name, None, config.data, config.state, policy=config.policy, label_column=config.label_column)


def site_of(context: Context, simulation_root: str) -> Site:
    """The site that this node stands for. A configured site stays itself, whatever a message says.

    Raises:
        InputError: the node is neither simulated nor configured.
    """
    configured = context.node_config.get(SITE_CONFIG)
    if configured is not None:
        return real_site(load_site_config(Path(str(configured))))
    partition = context.node_config.get(PARTITION)
    if simulation_root and partition is not None and re.fullmatch(r"\d+", str(partition)):
        return simulated_site(Path(simulation_root), int(partition))
    raise InputError("this node has no site configuration; start it with 'fedlpa site start --config site.toml'.")
