"""The map of the embedding: every drawn sample at its place, coloured by truth and by category."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from fedlpa.report.colours import INK, Look
from fedlpa.report.figures import Drawing, to_svg

WIDTH, HEIGHT, MARGIN = 460, 420, 16
FEWEST = 10
MOST_NAMED = 24
LEAST_NAMED = 0.012
"""Smaller groups, and more of them, are named in the legend only."""

MARKERS = {
    "circle": ("o", 1.0),
    "triangle": ("^", 1.1),
    "square": ("s", 0.85),
    "diamond": ("D", 0.8),
    "cross": ("P", 1.0),
}
"""Marks as matplotlib knows them, and what makes them look equally large."""

Features = Callable[[Dataset], NDArray[np.float32]]
"""Maps a data set of n samples to their embedding ``[n, d]``."""


def place(data: Dataset, features: Features | None) -> NDArray[np.float64] | None:
    """Positions ``[n, 2]`` in the picture's pixels by t-SNE; None for fewer than ten samples.

    The features are normalised to length 1 and centred, as discovery sees them. Without ``features`` the
    flattened input is used.
    """
    if len(data) < FEWEST:
        return None
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    given = data.x.reshape(len(data), -1) if features is None else features(data)
    vectors = np.nan_to_num(np.asarray(given, dtype=np.float64).reshape(len(data), -1))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    vectors -= vectors.mean(axis=0)
    if vectors.shape[1] > 50 and len(data) > 50:
        vectors = PCA(50, random_state=0).fit_transform(vectors)
    perplexity = min(30.0, (len(data) - 1) / 3)
    # The default start by PCA fails on a single column and divides by zero on equal vectors.
    start = np.random.default_rng(0).normal(scale=1e-4, size=(len(data), 2))
    if vectors.shape[1] > 1 and vectors[:, 0].std() > 0:
        start = PCA(2, random_state=0).fit_transform(vectors)
        start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)
    tsne = TSNE(perplexity=perplexity, init=start.astype(np.float32), max_iter=750, random_state=0)
    # Its threads wait by spinning: on a busy machine two take six times as long as one.
    with threadpool_limits(1):
        points = tsne.fit_transform(vectors)
    return _fit(np.asarray(points, dtype=np.float64))


def draw(
    title: str, label: str, points: NDArray[np.float64], names: NDArray[np.object_], looks: dict[str, Look]
) -> Drawing:
    """One panel: groups in the order of ``looks``, each named at its middle; ``label`` is read aloud.

    ``names`` ``[n]``: the group of each of the ``points`` ``[n, 2]``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.set_axis_off()
    radius = 3.1 if len(points) > 400 else 4.2
    groups: dict[str, tuple[str, str]] = {}
    middles: list[tuple[float, float, str]] = []
    sizes: Counter[str] = Counter()
    for name, look in looks.items():
        own = points[names == name]
        if not len(own):
            continue
        marker, scale = MARKERS[look.mark]
        group = f"group-{len(groups)}"
        axes.plot(
            *own.round(1).T,
            marker=marker,
            markersize=2 * radius * scale,
            linestyle="",
            color=look.colour,
            markeredgecolor="white",
            markeredgewidth=0.45,
            clip_on=False,
            gid=group,
        )
        groups[group] = (f"{name}: {len(own):,}", look.colour)
        middles.append((*_densest(own), name))
        sizes[name] = len(own)
    named = {name for name, size in sizes.most_common(MOST_NAMED) if size >= LEAST_NAMED * len(points)}
    for x, y, name in _spread([place for place in middles if place[2] in named]):
        axes.text(round(x), round(y), _short(name), ha="center", va="baseline", color=INK, parse_math=False)
    return Drawing(title, to_svg(figure, label, "map", groups), tuple((name, looks[name]) for name in sizes))


def _fit(points: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scaled: NDArray[np.float64] = MARGIN + (points - low) / np.maximum(high - low, 1e-9) * room
    return scaled


def _densest(points: NDArray[np.float64]) -> tuple[float, float]:
    """The member closest to the median: a label there stands on its group, not between two parts of it."""
    middle = np.median(points, axis=0)
    x, y = points[np.argmin(((points - middle) ** 2).sum(axis=1))]
    return float(x), float(y)


def _spread(middles: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Labels moved down until they no longer cover one another."""
    placed: list[tuple[float, float, str]] = []
    for x, y, name in sorted(middles, key=lambda middle: middle[1]):
        width = 8 * len(_short(name))
        for other_x, other_y, other in placed:
            if abs(x - other_x) < (width + 8 * len(_short(other))) / 2 and abs(y - other_y) < 15:
                y = other_y + 15
        half = width / 2
        placed.append((min(max(x, half), WIDTH - half), min(max(y, 14), HEIGHT - 4), name))
    return placed


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"
