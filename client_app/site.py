"""Where a client finds its own things: the data, the folder for its private state, a benchmark's truth."""

import re
from dataclasses import dataclass
from pathlib import Path

from flwr.app import Context

from common.errors import InputError

PARTITION = "partition-id"


@dataclass(frozen=True)
class Site:
    """One institution: ``folder`` holds its private state, predictions and log; ``truth`` exists in benchmarks."""

    name: str
    index: int | None
    data: Path
    folder: Path
    truth: Path | None = None

    @property
    def has_data(self) -> bool:
        """Whether the site got any samples at all."""
        return self.data.exists()


def simulated_site(root: Path, index: int) -> Site:
    """Site ``index`` of a simulation whose sites lie below ``root``."""
    folder = root / f"site-{index}"
    truth = folder / "truth.parquet"
    return Site(f"site-{index}", index, folder / "data.parquet", folder, truth if truth.exists() else None)


def site_of(context: Context, simulation_root: str) -> Site:
    """The site that this node stands for.

    Raises:
        InputError: the node is neither simulated nor configured.
    """
    partition = context.node_config.get(PARTITION)
    if simulation_root and partition is not None and re.fullmatch(r"\d+", str(partition)):
        return simulated_site(Path(simulation_root), int(partition))
    raise InputError("this node has no site configuration; start it with 'fedlpa site start --config site.toml'.")
