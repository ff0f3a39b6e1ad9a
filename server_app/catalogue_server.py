"""The base of methods whose sites send category rows: the rows of a round, and the catalogue that they become."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from common.discovery.catalogue import Catalogue
from common.methods.discovery_common import CATALOGUE
from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.settings import O, RunConfig
from common.wire.records import Arrays
from server_app.discovery_server import DiscoveryServer
from server_app.method import Broadcast, Reply


class CatalogueServer(DiscoveryServer[O]):
    """A method says in ``close`` when and how the rows become ``_catalogue``."""

    def __init__(self, config: RunConfig[O], place: Place) -> None:
        super().__init__(config, place)
        self._catalogue: Catalogue | None = None

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._rows: dict[str, Arrays] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The global weights; the catalogue, once there is one."""
        sent = super().broadcast(plan, site)
        if self._catalogue is None:
            return sent
        return replace(sent, records={**sent.records, CATALOGUE: self._catalogue.arrays()})

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; rows and counts wait for the end of the round."""
        super().fold(plan, reply)
        if CATALOGUE in reply.records:
            self._rows[reply.site] = reply.records[CATALOGUE]

    def pooled_rows(self) -> Arrays:
        """The round's ``rows``, ``names`` and ``counts``, in the order of the sites' names; empty where none came."""
        parts = [self._rows[site] for site in self._senders()]
        return {name: np.concatenate([part[name] for part in parts]) for name in ("rows", "names", "counts") if parts}

    def rows_by_site(self) -> NDArray[np.int64]:
        """[m], for each of the pooled rows the number of the site that sent it."""
        sizes = [len(self._rows[site]["names"]) for site in self._senders()]
        return np.repeat(np.arange(len(sizes)), sizes)

    def split_by_site(self, category: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """What each site's own rows became, from what the pooled rows became."""
        sites = self._senders()
        ends = np.cumsum([len(self._rows[site]["names"]) for site in sites])
        return dict(zip(sites, np.split(category, ends[:-1]), strict=True))

    def _senders(self) -> list[str]:
        return [site for site, arrays in sorted(self._rows.items()) if len(arrays["names"])]

    def snapshot(self) -> Snapshot:
        """Weights and catalogue."""
        arrays = super().snapshot().arrays
        if self._catalogue is not None:
            arrays |= {f"catalogue/{name}": value for name, value in self._catalogue.arrays().items()}
        return Snapshot(arrays, {})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        super().restore(snapshot)
        catalogue = snapshot.part("catalogue/")
        self._catalogue = Catalogue.from_arrays(catalogue) if catalogue else None

    def catalogue(self) -> Catalogue | None:
        """The federation's categories; None before there are any, and where none are shared."""
        return self._catalogue
