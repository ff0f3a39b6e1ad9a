"""FedAvg of GCD at the server: average weights, then merge the sites' centroids in one shot (k-FED)."""

import numpy as np
from numpy.typing import NDArray

from common.discovery.catalogue import Catalogue, number_by_size
from common.discovery.scores import Counts
from common.methods.discovery_common import CATALOGUE
from common.methods.gcd import GCDOptions
from common.methods.known_categories import told_categories
from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.run.record import Scores
from common.settings import RunConfig
from common.wire.records import Arrays
from server_app.discovery_server import DiscoveryServer
from server_app.method import Broadcast, Outcome, Reply, ServerMethod
from server_app.scoring import global_scores, local_scores, score_dict
from server_app.sites.lay_samples import lay_out_samples
from server_app.weights import initial_weights

TRIALS = 10


def merge_centroids(
    rows: NDArray[np.float32], names: NDArray[np.int64], counts: NDArray[np.int64], k: int, *, seed: int
) -> tuple[Catalogue, NDArray[np.int64]]:
    """The federation's K categories from the sites' centroids ``rows`` [m, d], and the category of each row.

    Centroids of one seen class merge; the unnamed ones are clustered by k-means, weighted by their ``counts``, into
    as many novel categories as are left of ``k``; where none is, each joins the nearest seen class. The order of the
    rows does not show.

    Args:
        names: [m], index of a seen class or -1.
        k: number of categories; fewer come out where there are fewer centroids.
    """
    order = np.lexsort(np.column_stack([rows, names, counts]).T)
    points, names, counts = rows[order].astype(np.float64), names[order], counts[order]
    seen = np.unique(names[names >= 0])
    group = np.searchsorted(seen, names)
    novel = np.flatnonzero(names < 0)
    if len(seen) >= k:
        named = np.stack([np.average(points[names == c], axis=0, weights=counts[names == c]) for c in seen])
        group[novel] = (points[novel] @ named.T - 0.5 * (named**2).sum(axis=1)).argmax(axis=1)
        novel = novel[:0]
    joined = _join_novel(points[novel], counts[novel], k - len(seen), seed)
    sizes = np.bincount(joined, weights=counts[novel])
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    group[novel] = len(seen) + rank[joined]
    total = len(seen) + len(sizes)
    sums = np.zeros((total, points.shape[1]))
    np.add.at(sums, group, points * counts[:, None])
    unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    category_names = np.concatenate([seen, np.full(len(sizes), -1)]).astype(np.int64)
    category_counts = np.bincount(group, weights=counts, minlength=total).astype(np.int64)
    catalogue = Catalogue(
        rows=unit.astype(np.float32),
        names=category_names,
        numbers=number_by_size(category_names, category_counts),
        counts=category_counts,
    )
    category = np.empty(len(order), dtype=np.int64)
    category[order] = group
    return catalogue, category


def _join_novel(rows: NDArray[np.float64], counts: NDArray[np.int64], k: int, seed: int) -> NDArray[np.int64]:
    """Cluster of each row, 0, 1, ... without gaps in order of first appearance."""
    from sklearn.cluster import KMeans

    distinct = len(np.unique(rows, axis=0)) if len(rows) else 0
    if distinct <= k:
        label = np.unique(rows, axis=0, return_inverse=True)[1].ravel() if distinct else np.zeros(0, dtype=np.int64)
    else:
        label = KMeans(n_clusters=k, n_init=TRIALS, random_state=seed).fit(rows, sample_weight=counts).labels_
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    by_appearance = np.empty(len(first), dtype=np.int64)
    by_appearance[np.argsort(first)] = np.arange(len(first))
    result: NDArray[np.int64] = by_appearance[inverse]
    return result


class GCDServer(DiscoveryServer[GCDOptions]):
    """The federation's weights, and after the closing round its K centroids."""

    def __init__(self, config: RunConfig[GCDOptions], place: Place) -> None:
        super().__init__(config, place)
        self._catalogue: Catalogue | None = None

    def initial_weights(self) -> dict[str, NDArray[np.float32]]:
        """Of the network without a head."""
        return initial_weights(self.config, 0)

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._rows: dict[str, Arrays] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The global weights; with the delivery, the categories."""
        sent = super().broadcast(plan, site)
        if self._catalogue is None:
            return sent
        return Broadcast({**sent.records, CATALOGUE: self._catalogue.arrays()})

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; centroids and counts wait for the end of the round."""
        super().fold(plan, reply)
        if CATALOGUE in reply.records:
            self._rows[reply.site] = reply.records[CATALOGUE]

    def close(self, plan: RoundPlan) -> Outcome:
        """In the closing round the merged categories and the scores of the sites' clusters."""
        return self._merge() if plan.discover else Outcome()

    def _merge(self) -> Outcome:
        sites = [site for site in sorted(self._rows) if len(self._rows[site]["names"])]
        if not sites:
            return Outcome({}, None, self._concepts)
        rows, names, counts = (
            np.concatenate([self._rows[site][name] for site in sites]) for name in ("rows", "names", "counts")
        )
        self._catalogue, category = merge_centroids(
            rows, names, counts, told_categories(self.config), seed=self.config.seed
        )
        k = len(self._catalogue)
        scores: Scores = {}
        if self._counts:
            ends = np.cumsum([len(self._rows[site]["names"]) for site in sites])
            own = dict(zip(sites, np.split(category, ends[:-1]), strict=True))
            merged, next_row = {}, k
            for site, table in sorted(self._counts.items()):
                merged[site] = self._by_category(table, own.get(site, category[:0]), k, next_row)
                next_row = max(next_row, len(merged[site]))
            scores = {
                "concepts": score_dict(local_scores(self._counts, self.config)),
                "local": score_dict(local_scores(merged, self.config)),
                "global": score_dict(global_scores(merged, self.config)),
            }
        return Outcome(scores, k, self._concepts)

    def _by_category(self, counts: Counts, own: NDArray[np.int64], k: int, next_row: int) -> Counts:
        """Counts by cluster (sent ones first) -> by category; what stayed at the site is nobody else's category."""
        kept = counts[len(own) :]
        result = np.zeros((next_row + len(kept) if len(kept) else k, counts.shape[1]), dtype=np.int64)
        np.add.at(result, own, counts[: len(own)])
        result[len(result) - len(kept) :] = kept
        return result

    def snapshot(self) -> Snapshot:
        """Weights and, at the end, the categories."""
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
        """The K categories; None before the closing round."""
        return self._catalogue


METHOD = ServerMethod(GCDServer, lay_out_samples)
