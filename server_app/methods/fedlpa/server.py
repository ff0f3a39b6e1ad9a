"""FedLPA at the server: average weights, blend calibration curves, match category rows into one catalogue."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.discovery.posterior import TEMPERATURE
from common.methods.discovery_common import CATALOGUE
from common.methods.fedlpa.spec import CURVE, FedLPAOptions
from common.methods.fedlpa.statistics_record import STATISTICS
from common.methods.plan import RoundPlan
from common.place import Place
from common.run.checkpoint import Snapshot
from common.run.record import Score
from common.settings import RunConfig
from common.wire.records import Arrays
from server_app.catalogue_server import CatalogueServer
from server_app.claims import LARGEST
from server_app.method import Broadcast, Outcome, Reply
from server_app.methods.fedlpa.linear_head import linear_head
from server_app.methods.fedlpa.matching import agreed_names, centred_rows, keep_numbers, match_rows
from server_app.scoring import apart, by_category, global_scores, local_scores

log = logging.getLogger("fedlpa.server")

OWN = "own"
HEAD_REACH = 3.0
"""How many times the median move of a row one may move in a head round."""
CURVE_REACH = 0.2
"""How far from the median of the sites a calibration score counts."""


class FedLPAServer(CatalogueServer[FedLPAOptions]):
    """The federation's state: weights, calibration curve, catalogue, and which category each site's rows became."""

    def __init__(self, config: RunConfig[FedLPAOptions], place: Place) -> None:
        super().__init__(config, place)
        self._centre: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._own: dict[str, NDArray[np.int64]] = {}
        self._curve: tuple[float, ...] | None = None
        self._next_number = 1

    def forget_replies(self) -> None:
        """Make ready for the replies of a round."""
        super().forget_replies()
        self._curves: dict[str, tuple[NDArray[np.float64], float]] = {}
        self._statistics: dict[str, Arrays] = {}

    def broadcast(self, plan: RoundPlan, site: str) -> Broadcast:
        """The global weights; with a catalogue, its rows and the categories of this site's own rows; the curve."""
        records = dict(super().broadcast(plan, site).records)
        if CATALOGUE in records:
            records[CATALOGUE] = {**records[CATALOGUE], OWN: self._own.get(site, np.zeros(0, dtype=np.int64))}
        return Broadcast(records, {} if self._curve is None else {CURVE: self._curve})

    def fold(self, plan: RoundPlan, reply: Reply) -> None:
        """Weights into the running mean; curves, rows and counts are small and wait for the end of the round."""
        super().fold(plan, reply)
        if "calibration-curve" in reply.metrics:
            curve = np.asarray(reply.metrics["calibration-curve"], dtype=np.float64)
            self._curves[reply.site] = (curve, int(reply.scalar("calibration-labels")))
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
        most = LARGEST * float(np.median([h for _, h in usable])) if usable else 0.0
        usable = [(curve, min(h, most)) for curve, h in usable]
        labels = sum(h for _, h in usable)
        self._curve = None
        if labels:
            middle, reach = np.median([curve for curve, _ in usable], axis=0), CURVE_REACH if len(usable) > 2 else 2.0
            held = [(np.clip(curve, middle - reach, middle + reach), h) for curve, h in usable]
            blended = np.sum([h * curve for curve, h in held], axis=0) / labels
            self._curve = tuple(blended.tolist())

    def _match(self) -> None:
        self._own = {}
        pooled = self.pooled_rows()
        if not pooled:
            return
        centre, threshold = self._weights["feature_mean"], self.config.options.match_threshold
        names = agreed_names(pooled["rows"], pooled["names"], self.rows_by_site(), centre)
        matched = match_rows(pooled["rows"], names, pooled["counts"], centre, threshold)
        catalogue = matched.catalogue
        if self._catalogue is not None:
            catalogue, self._next_number = keep_numbers(
                catalogue, self._catalogue, self._next_number, threshold, centres=(centre, self._centre)
            )
        else:
            self._next_number = int(catalogue.numbers.max(initial=0)) + 1
        self._catalogue, self._centre = catalogue, centre
        self._own = self.split_by_site(matched.category)

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
        sent = self._head_moves(rows)
        lengths = [np.linalg.norm(moves, axis=1) for _, moves, _ in sent]
        reach = HEAD_REACH * float(np.median(np.concatenate(lengths))) if lengths else np.inf
        for (own, moves, counts), moved in zip(sent, lengths, strict=True):
            held = np.minimum(1, reach / np.maximum(moved, 1e-12))[:, None]
            total[own] += counts[:, None] * (rows[own] + held * moves)
            weight[own] += counts[:, None]
        rows = np.where(weight > 0, total / np.maximum(weight, 1), rows)
        linear = np.column_stack([rows / TEMPERATURE, np.zeros(len(rows))]).astype(np.float32)
        self._catalogue = replace(self._catalogue, linear=linear)

    def _head_moves(
        self, rows: NDArray[np.float64]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]]:
        """For each site that sent rows of the head: their categories, how it moved them, the samples behind them."""
        found = []
        for site, arrays in sorted(self._rows.items()):
            own, counts = np.unique(self._own.get(site, np.zeros(0, dtype=np.int64))), arrays["counts"]
            if len(own) != len(counts):
                log.warning("%s sent %d rows of the head, not %d; left out", site, len(counts), len(own))
            elif len(own):
                found.append((own, arrays["rows"].astype(np.float64) - rows[own], counts))
        return found

    def _outcome(self, plan: RoundPlan) -> Outcome:
        k = len(self._catalogue) if self._catalogue is not None else None
        rows = {site: len(own) for site, own in self._own.items()} if plan.discover else {}
        counts = {site: c for site, c in self._counts.items() if len(c) >= rows.get(site, 0)}
        if not counts:
            return Outcome({}, k, self._concepts)
        scores: dict[str, Score | Mapping[str, Score]] = {}
        if plan.discover:
            scores["concepts"] = local_scores(counts, self.config)
            if self._catalogue is not None:
                k, none = len(self._catalogue), np.zeros(0, dtype=np.int64)
                counts = {site: by_category(c, self._own.get(site, none), k) for site, c in counts.items()}
        scores["local"] = local_scores(counts, self.config)
        if self._catalogue is not None:
            scores["global"] = global_scores(apart(counts, len(self._catalogue)), self.config)
            k = int((sum(c[: len(self._catalogue)].sum(axis=1) for c in counts.values()) > 0).sum())
        return Outcome(scores, k, self._concepts)

    def snapshot(self) -> Snapshot:
        """Weights, catalogue, sites' own categories, curve, next number."""
        arrays: dict[str, NDArray[Any]] = super().snapshot().arrays
        if self._catalogue is not None:
            arrays["centre"] = self._centre
        arrays |= {f"own/{site}": value for site, value in self._own.items()}
        return Snapshot(arrays, {"curve": self._curve, "next-number": self._next_number})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        super().restore(snapshot)
        self._centre = snapshot.arrays.get("centre", self._centre)
        self._own = snapshot.part("own/")
        curve = snapshot.values["curve"]
        self._curve = None if curve is None else tuple(curve)
        self._next_number = int(snapshot.values["next-number"])
