"""FedAvg of GCD at the server: average weights, then merge the sites' centroids in one shot (k-FED)."""

import numpy as np
from numpy.typing import NDArray

from common.discovery.catalogue import Catalogue
from common.methods.gcd import GCDOptions
from common.methods.known_categories import number_of_categories
from common.methods.plan import RoundPlan
from common.run.record import Scores
from server_app.catalogue_server import CatalogueServer
from server_app.method import Outcome, ServerMethod
from server_app.scoring import apart, by_category, global_scores, local_scores
from server_app.sites.lay_samples import lay_out_samples

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
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    group[novel] = len(seen) + rank[joined]
    total = len(seen) + len(sizes)
    sums = np.zeros((total, points.shape[1]))
    np.add.at(sums, group, points * counts[:, None])
    unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    category_names = np.concatenate([seen, np.full(len(sizes), -1)]).astype(np.int64)
    category_counts = np.bincount(group, weights=counts, minlength=total).astype(np.int64)
    catalogue = Catalogue.numbered(unit.astype(np.float32), category_names, category_counts)
    return catalogue, group[np.argsort(order)]


def _join_novel(rows: NDArray[np.float64], counts: NDArray[np.int64], k: int, seed: int) -> NDArray[np.int64]:
    """Cluster of each row, 0, 1, ... without gaps in order of first appearance."""
    from sklearn.cluster import KMeans

    distinct, label = np.unique(rows, axis=0, return_inverse=True)
    if len(distinct) > k:
        label = KMeans(n_clusters=k, n_init=TRIALS, random_state=seed).fit(rows, sample_weight=counts).labels_
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    result: NDArray[np.int64] = np.argsort(np.argsort(first))[inverse]
    return result


class GCDServer(CatalogueServer[GCDOptions]):
    """The federation's weights, and after the closing round its K centroids."""

    def close(self, plan: RoundPlan) -> Outcome:
        """In the closing round the merged categories and the scores of the sites' clusters."""
        return self._merge() if plan.discover else Outcome()

    def _merge(self) -> Outcome:
        pooled = self.pooled_rows()
        if not pooled:
            return Outcome({}, None, self._concepts)
        self._catalogue, category = merge_centroids(
            pooled["rows"], pooled["names"], pooled["counts"], number_of_categories(self.config), seed=self.config.seed
        )
        k = len(self._catalogue)
        scores: Scores = {}
        if self._counts:
            own = self.split_by_site(category)
            merged = apart(
                {site: by_category(c, own.get(site, category[:0]), k) for site, c in self._counts.items()}, k
            )
            scores = {
                "concepts": local_scores(self._counts, self.config),
                "local": local_scores(merged, self.config),
                "global": global_scores(merged, self.config),
            }
        return Outcome(scores, k, self._concepts)


METHOD = ServerMethod(GCDServer, lay_out_samples)
