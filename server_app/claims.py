"""What a site says of its own size weighs no more than it can show.

A count in a reply is a claim. It counts at most as much as the site said when the run met it, and at most ``LARGEST``
times what the others say in the middle: the weight of a site that says 2**40 is that of a big one. A site that really
is many times larger than all others weighs less than its share for it. One rule for all counts.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.wire.records import TRUTH, Metric
from server_app.method import Reply

LARGEST = 3.0
"""How many times the median of the others one may weigh."""
CLAIMED = ("samples", "labelled", "calibration-labels", "slots")
"""Metrics that are claims."""
COUNTS = "counts"
"""The array of a record that says how many samples stand behind each row."""


class Claims:
    """The sizes that the sites of a run have claimed when they were met."""

    def __init__(self, first: Mapping[str, int] | None = None) -> None:
        """``first``: what was heard before a run was resumed."""
        self._first: dict[str, int] = dict(first or {})

    @property
    def first(self) -> Mapping[str, int]:
        """Every site's first word on its size."""
        return self._first

    def hear(self, site: str, samples: int) -> None:
        """A site's first word on its size; later ones change nothing."""
        self._first.setdefault(site, max(0, samples))

    def limit(self, site: str) -> int:
        """What a count of this site is worth at most."""
        own = self._first.get(site, 0)
        others = sorted(first for name, first in self._first.items() if first and name != site)
        if not others:
            return own
        return max(1, min(own, int(LARGEST * others[(len(others) - 1) // 2])))  # of two the smaller: one may lie

    def capped(self, reply: Reply) -> Reply:
        """The reply with every count cut down to what it is worth; rows' counts in proportion.

        Raises:
            ValueError: more rows than samples.
        """
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
    if np.count_nonzero(counts) > limit:
        raise ValueError(f"it sends {np.count_nonzero(counts)} rows and can have {limit} samples")
    if total <= limit:
        return dict(arrays)
    smaller = np.where(counts > 0, np.maximum(1, np.floor(counts * (limit / total))), 0)
    return {**arrays, COUNTS: smaller.astype(arrays[COUNTS].dtype)}
