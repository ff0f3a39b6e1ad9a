"""Who is there: the connected nodes, what they are called, and waiting for enough of them."""

import time
from collections.abc import Callable
from datetime import datetime

from flwr.serverapp import Grid

from common.errors import RunFailedError
from common.methods.registry import training_sites
from common.place import Place, Simulation
from common.settings import AnyConfig

RETURN = 60.0
"""Seconds that the final model waits for a site that took part and is away just then."""

Say = Callable[[str], None]


class Attendance:
    """The nodes of one run. A site's name lasts for the run and sorts the same in every run."""

    def __init__(self, grid: Grid, config: AnyConfig, place: Place, say: Say) -> None:
        self._grid, self._config, self._say = grid, config, say
        self._simulated = isinstance(place, Simulation)
        self._names: dict[int, str] = {}
        self._took_part: set[int] = set()

    def gather(self) -> list[int]:
        """All connected nodes, as soon as they are enough.

        Raises:
            RunFailedError: they are not within the quorum's timeout.
        """
        config = self._config
        wanted = training_sites(config) if self._simulated else config.min_clients
        patience = config.round_timeout if self._simulated else config.quorum_timeout
        deadline = time.monotonic() + patience
        told = -1
        while len(nodes := sorted(self._grid.get_node_ids())) < wanted:
            if time.monotonic() > deadline:
                raise RunFailedError(
                    f"only {len(nodes)} of {wanted} sites are connected after {patience:g} s; the checkpoint is "
                    "kept: start the missing ones and run again."
                )
            if len(nodes) != told:
                told = len(nodes)
                self._say(f"waiting for sites: {told} of at least {wanted} are connected")
            time.sleep(0.1 if self._simulated else 1.0)
        if not self._simulated:
            self._learn_names()
        return nodes

    def returned(self) -> list[int]:
        """All connected nodes, once those that took part are back or have had their time to be."""
        deadline = time.monotonic() + RETURN
        told = False
        while missing := self._took_part - set(nodes := sorted(self._grid.get_node_ids())):
            if time.monotonic() >= deadline:
                break
            if not told:
                names = ", ".join(sorted(self.name(node) for node in missing))
                self._say(f"waiting up to {RETURN:g} s for {names} to come back for the final model")
                told = True
            time.sleep(0.2)
        return nodes

    def activations(self) -> dict[int, float]:
        """When each site last came online, in seconds since the epoch by the server's clock."""
        return {
            node.node_id: datetime.fromisoformat(node.last_activated_at).timestamp()
            for node in self._grid.get_nodes()
            if node.last_activated_at
        }

    def name(self, node: int) -> str:
        """What a node's site is called."""
        return self._names.get(node, f"node-{node}")

    def introduce(self, node: int, number: int) -> None:
        """A node of a simulation says which site it plays; a real site's name is that of its key."""
        if self._simulated:
            self._names[node] = f"site-{number}"

    def note(self, node: int) -> None:
        """The node's reply counted: the final model is for it too."""
        self._took_part.add(node)

    def _learn_names(self) -> None:
        """Sites are called by the names that their keys were registered under."""
        names = {node.node_id: node.name for node in self._grid.get_nodes()}
        for node, name in names.items():
            if name and list(names.values()).count(name) == 1:
                self._names[node] = name
