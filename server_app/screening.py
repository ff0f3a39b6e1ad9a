"""Which sites' updates point away from all others': a site that turns its update round cannot be told by its length.

For every site the cosine of its update with the sum of the others' is compared with the median of these cosines.
Honest sites differ from it by little, however different their data is, since all of them lower the same kind of loss. A
site that was left out once is held to a narrower margin until it is back within it. With fewer than ``FEWEST`` sites
nobody can say who is wrong; then the one that differs most is named and nobody is left out.

Updates are compared by sketches (count sketch: Charikar, Chen, Farach-Colton, 2002), so that they need not be in
memory together. Comparing directions: Cao et al., FLTrust, NDSS 2021; bounding lengths: Karimireddy, He, Jaggi,
ICML 2021.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.wire.records import MOMENTS, WEIGHTS
from server_app.method import Reply

WIDTH = 4096
"""Numbers of a sketch: cosines are right to about 1 / sqrt(WIDTH)."""
FEWEST = 4
"""Sites without which nobody is left out."""
MARGIN, NARROW = 0.35, 0.15
"""How far below the median a cosine may be; and for a site that was left out in its last round."""


def sketch(reply: Reply, before: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    """The update in ``reply`` as ``WIDTH`` numbers that keep angles; None where there is none."""
    weights = reply.records.get(WEIGHTS)
    if weights is None or weights.keys() != before.keys():
        return None
    found = np.zeros(WIDTH)
    for name in sorted(weights):
        if name in MOMENTS:
            continue  # they have no direction
        update = np.subtract(weights[name], before[name], dtype=np.float64).ravel()
        rng = np.random.default_rng([zlib.crc32(name.encode()), update.size])
        signs = rng.integers(0, 2, update.size, dtype=np.int8) * 2.0 - 1.0
        places = rng.integers(0, WIDTH, update.size)
        found += np.bincount(places, weights=signs * update, minlength=WIDTH)
    return found if found.any() else None


def agreement(sketches: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Cosine of every site's update with the sum of the others', none longer than the median."""
    sites = sorted(sketches)
    rows = np.array([sketches[site] for site in sites])
    lengths = np.linalg.norm(rows, axis=1)
    rows = rows * np.minimum(1, np.median(lengths) / lengths)[:, None]
    others = rows.sum(axis=0) - rows
    scale = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    cosines = (rows * others).sum(axis=1) / np.maximum(scale, 1e-300)
    return dict(zip(sites, cosines.tolist(), strict=True))


def contrary(sketches: Mapping[str, NDArray[np.float64]], suspected: frozenset[str] = frozenset()) -> dict[str, float]:
    """The sites to leave out, fewer than half, each with how far its cosine is below the median.

    Args:
        suspected: sites that were left out when they last took part.
    """
    left = dict(sketches)
    found: dict[str, float] = {}
    while len(left) >= FEWEST and 2 * (len(found) + 1) < len(sketches):
        cosines = agreement(left)
        middle = float(np.median(list(cosines.values())))
        below = {site: middle - cosine for site, cosine in cosines.items()}
        beyond = {s: gap for s, gap in below.items() if gap > (NARROW if s in suspected else MARGIN)}
        if not beyond:
            break
        worst = max(sorted(beyond), key=beyond.__getitem__)
        found[worst] = beyond[worst]
        del left[worst]
    return found


def differing(sketches: Mapping[str, NDArray[np.float64]]) -> str | None:
    """Of three sites, of which nobody can tell who is wrong, the one whose update points away from the others'."""
    if not 2 < len(sketches) < FEWEST:
        return None
    cosines = agreement(sketches)
    worst = min(sorted(cosines), key=cosines.__getitem__)
    return worst if float(np.median(list(cosines.values()))) - cosines[worst] > MARGIN else None
