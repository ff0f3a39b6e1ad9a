"""Where a run takes place. Whatever depends on it asks this, and nothing else."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Simulation:
    """All sites lie below ``root`` on this machine and belong to whoever runs it: truth is known, noise may repeat."""

    root: Path


@dataclass(frozen=True)
class Deployment:
    """Every site is an institution of its own: no truth, no predictable noise, the site's policy in force."""


Place = Simulation | Deployment
