"""What a site says of its own size weighs no more than it can show.

A count in a reply is a claim. It counts at most as much as the site said when the run met it, and at most ``LARGEST``
times what sites say in the middle: the weight of a site that says 2**40 is that of a big one. One rule for all counts.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.wire.records import TRUTH, Metric
from server_app.method import Reply

LARGEST = 3.0
"""How many times the median of all sites one may weigh."""
CLAIMED = ("samples", "labelled", "calibration-labels", "slots")
"""Metrics that are claims."""
COUNTS = "counts"
"""The array of a record that says how many samples stand behind each row."""


class Claims:
    """The sizes that the sites of a run have claimed when they were met."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def hear(self, site: str, samples: int) -> None:
        """A site's first word on its size; later ones change nothing."""
        self._first.setdefault(site, max(0, samples))

    def limit(self, site: str) -> int:
        """What a count of this site is worth at most."""
        own = self._first.get(site, 0)
        others = [first for first in self._first.values() if first]
        if not others:
            return own
        return max(1, min(own, int(LARGEST * float(np.median(others)))))

    def capped(self, reply: Reply) -> Reply:
        """The reply with every count cut down to what it is worth; rows' counts in proportion."""
        self.hear(reply.site, reply.samples)
        limit = self.limit(reply.site)
        metrics: dict[str, Metric] = {
            name: min(value, limit) if name in CLAIMED and isinstance(value, int) else value
            for name, value in reply.metrics.items()
        }
        records = {
            name: arrays if name == TRUTH or COUNTS not in arrays else _shared_out(arrays, limit)
            for name, arrays in reply.records.items()
        }
        return replace(reply, metrics=metrics, records=records)


def _shared_out(arrays: Mapping[str, NDArray[Any]], limit: int) -> dict[str, NDArray[Any]]:
    """Counts whose sum is at most ``limit``; none that was there becomes 0."""
    counts = arrays[COUNTS].astype(np.float64)
    total = float(counts.sum())
    if total <= limit:
        return dict(arrays)
    smaller = np.where(counts > 0, np.maximum(1, np.floor(counts * (limit / total))), 0)
    return {**arrays, COUNTS: smaller.astype(arrays[COUNTS].dtype)}
