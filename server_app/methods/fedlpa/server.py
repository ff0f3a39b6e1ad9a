"""FedLPA at the server: average weights, blend calibration curves, match category rows into one catalogue."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.discovery.catalogue import Catalogue
from common.discovery.posterior import TEMPERATURE
from common.discovery.scores import Counts
from common.methods.discovery_common import CATALOGUE
from common.methods.fedlpa.spec import CURVE, FedLPAOptions
from common.methods.fedlpa.statistics_record import STATISTICS
from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.run.record import Score
from common.settings import RunConfig
from common.wire.records import Arrays
from server_app.discovery_server import DiscoveryServer
from server_app.method import Broadcast, Outcome, Reply
from server_app.methods.fedlpa.linear_head import linear_head
from server_app.methods.fedlpa.matching import centred_rows, keep_numbers, match_rows
from server_app.scoring import global_scores, local_scores, score_dict
from server_app.weights import initial_weights

log = logging.getLogger("fedlpa.server")

OWN = "own"


class FedLPAServer(DiscoveryServer[FedLPAOptions]):
    """The federation's state: weights, calibration curve, catalogue, and which category each site's rows became."""

    def __init__(self, config: RunConfig[FedLPAOptions], place: Place) -> None:
        super().__init__(config, place)
        self._catalogue: Catalogue | None = None
        self._centre: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._own: dict[str, NDArray[np.int64]] = {}
        self._curve: tuple[float, ...] | None = None
        self._next_number = 1

    def initial_weights(self) -> dict[str, NDArray[np.float32]]:
        """Of the network with a head row a seen class."""
        return initial_weights(self.config, len(self.config.seen_classes))

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._curves: dict[str, tuple[NDArray[np.float64], int]] = {}
        self._rows: dict[str, Arrays] = {}
        self._statistics: dict[str, Arrays] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The global weights; with a catalogue, its rows and the categories of this site's own rows; the curve."""
        records = dict(super().broadcast(plan, site).records)
        if self._catalogue is not None:
            own = self._own.get(site, np.zeros(0, dtype=np.int64))
            records[CATALOGUE] = {**self._catalogue.arrays(), OWN: own}
        return Broadcast(records, {} if self._curve is None else {CURVE: self._curve})

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; curves, rows and counts are small and wait for the end of the round."""
        super().fold(plan, reply)
        if "calibration-curve" in reply.metrics:
            curve = np.asarray(reply.metrics["calibration-curve"], dtype=np.float64)
            self._curves[reply.site] = (curve, int(reply.scalar("calibration-labels")))
        if CATALOGUE in reply.records:
            self._rows[reply.site] = reply.records[CATALOGUE]
        if STATISTICS in reply.records:
            self._statistics[reply.site] = reply.records[STATISTICS]

    def close(self, plan: RoundPlan) -> Outcome:
        """Blend curves where a discovery is next, match rows where one was, score where there is a truth."""
        if plan.calibrate:
            self._blend_curves()
        if plan.discover and self.config.options.share_categories:
            self._match()
            self._discriminate()
        if plan.phase == "head":
            self._average_heads()
        return self._outcome(plan)

    def _blend_curves(self) -> None:
        """The federation's curve: the sites' curves weighted by the labels hidden to make them."""
        usable = [entry for _, entry in sorted(self._curves.items()) if entry[1] > 0]
        labels = sum(h for _, h in usable)
        self._curve = None
        if labels:
            blended = np.sum([h * curve for curve, h in usable], axis=0) / labels
            self._curve = tuple(blended.tolist())

    def _match(self) -> None:
        sites = [site for site in sorted(self._rows) if len(self._rows[site]["names"])]
        self._own = {}
        if not sites:
            return
        parts = {
            name: np.concatenate([self._rows[site][name] for site in sites]) for name in ("rows", "names", "counts")
        }
        centre = self._weights["feature_mean"]
        matched = match_rows(
            parts["rows"], parts["names"], parts["counts"], centre, self.config.options.match_threshold
        )
        catalogue = matched.catalogue
        if self._catalogue is not None:
            catalogue, self._next_number = keep_numbers(
                catalogue,
                self._catalogue,
                self._next_number,
                self.config.options.match_threshold,
                centres=(centre, self._centre),
            )
        else:
            self._next_number = int(catalogue.numbers.max(initial=0)) + 1
        self._catalogue, self._centre = catalogue, centre
        ends = np.cumsum([len(self._rows[site]["names"]) for site in sites])
        self._own = dict(zip(sites, np.split(matched.category, ends[:-1]), strict=True))

    def _discriminate(self) -> None:
        """A linear head from the sites' statistics, where they sent them along with their rows."""
        parts = [
            (self._own[site], arrays)
            for site, arrays in sorted(self._statistics.items())
            if site in self._own and len(arrays["counts"]) == len(self._own[site])
        ]
        if self._catalogue is None or not parts:
            return
        sums = np.zeros(self._catalogue.rows.shape)
        counts = np.zeros(len(self._catalogue), dtype=np.int64)
        for own, arrays in parts:
            np.add.at(sums, own, arrays["sums"].astype(np.float64))
            np.add.at(counts, own, arrays["counts"])
        scatter = np.sum([arrays["scatter"].astype(np.float64) for _, arrays in parts], axis=0)
        rows = centred_rows(self._catalogue.rows, self._weights["feature_mean"])
        self._catalogue = replace(self._catalogue, linear=linear_head(sums, counts, scatter, rows))

    def _average_heads(self) -> None:
        """The mean of the sites' trained rows, category by category, weighted by the samples behind each.

        A site sends a row for each category that its own rows became, in ascending order. A category without an
        answer keeps its row.
        """
        if self._catalogue is None:
            return
        linear = self._catalogue.linear
        if linear is None:
            rows = centred_rows(self._catalogue.rows, self._centre)
        else:
            rows = linear[:, :-1].astype(np.float64) * TEMPERATURE
        total = np.zeros_like(rows)
        weight = np.zeros((len(rows), 1))
        for site, arrays in sorted(self._rows.items()):
            own = np.unique(self._own.get(site, np.zeros(0, dtype=np.int64)))
            if len(own) != len(arrays["counts"]):
                log.warning("%s sent %d rows of the head, not %d; left out", site, len(arrays["counts"]), len(own))
                continue
            total[own] += arrays["counts"][:, None] * arrays["rows"].astype(np.float64)
            weight[own] += arrays["counts"][:, None]
        rows = np.where(weight > 0, total / np.maximum(weight, 1), rows)
        linear = np.column_stack([rows / TEMPERATURE, np.zeros(len(rows))]).astype(np.float32)
        self._catalogue = replace(self._catalogue, linear=linear)

    def _outcome(self, plan: RoundPlan) -> Outcome:
        k = len(self._catalogue) if self._catalogue is not None else None
        rows = {site: len(own) for site, own in self._own.items()} if plan.discover else {}
        counts = {site: c for site, c in self._counts.items() if len(c) >= rows.get(site, 0)}
        if not counts:
            return Outcome({}, k, self._concepts)
        scores: dict[str, Score | Mapping[str, Score]] = {}
        if plan.discover:
            scores["concepts"] = score_dict(local_scores(counts, self.config))
            if self._catalogue is not None:
                counts = {site: self._by_category(site, c, len(self._catalogue)) for site, c in counts.items()}
        scores["local"] = score_dict(local_scores(counts, self.config))
        if self._catalogue is not None:
            scores["global"] = score_dict(global_scores(self._shared_rows(counts), self.config))
            k = int((sum(c[: len(self._catalogue)].sum(axis=1) for c in counts.values()) > 0).sum())
        return Outcome(scores, k, self._concepts)

    def _by_category(self, site: str, counts: Counts, k: int) -> Counts:
        """Counts by concept (sent ones first) -> counts by category; concepts that were not sent follow."""
        own = self._own.get(site, np.zeros(0, dtype=np.int64))
        unsent = counts[len(own) :]
        result = np.zeros((k + len(unsent), counts.shape[1]), dtype=np.int64)
        np.add.at(result, own, counts[: len(own)])
        result[k:] = unsent
        return result

    def _shared_rows(self, counts: dict[str, Counts]) -> dict[str, Counts]:
        """For the global match: what a site kept to itself is nobody else's category, so each gets its own row."""
        assert self._catalogue is not None
        k = len(self._catalogue)
        private = sum(len(c) - k for c in counts.values())
        result, start = {}, k
        for site, c in sorted(counts.items()):
            wide = np.zeros((k + private, c.shape[1]), dtype=np.int64)
            wide[:k] = c[:k]
            wide[start : start + len(c) - k] = c[k:]
            start += len(c) - k
            result[site] = wide
        return result

    def snapshot(self) -> Snapshot:
        """Weights, catalogue, sites' own categories, curve, next number."""
        arrays: dict[str, NDArray[Any]] = super().snapshot().arrays
        if self._catalogue is not None:
            arrays |= {f"catalogue/{name}": value for name, value in self._catalogue.arrays().items()}
            arrays["centre"] = self._centre
        arrays |= {f"own/{site}": value for site, value in self._own.items()}
        return Snapshot(arrays, {"curve": self._curve, "next-number": self._next_number})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        super().restore(snapshot)
        catalogue = snapshot.part("catalogue/")
        self._catalogue = Catalogue.from_arrays(catalogue) if catalogue else None
        self._centre = snapshot.arrays.get("centre", self._centre)
        self._own = snapshot.part("own/")
        curve = snapshot.values["curve"]
        self._curve = None if curve is None else tuple(curve)
        self._next_number = int(snapshot.values["next-number"])

    def catalogue(self) -> Catalogue | None:
        """The federation's categories; None with ``share-categories=false``."""
        return self._catalogue
