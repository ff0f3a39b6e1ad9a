"""Colours and marks of the report; distinguishable with any colour vision, by mark as well as by hue."""

from collections import Counter
from dataclasses import dataclass

# Petroff's ten (arXiv:2107.02270), chosen by search for colour-vision deficiencies and for beauty; its two
# greys stand last, so that few classes do without them.
CLASSES = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#832db6",
    "#00857a",
    "#e76300",
    "#92dadd",
    "#a96b59",
    "#b9ac70",
    "#717581",
)
INK = "#1c2733"
BLUE = "#2166ac"
ORANGE = "#d95f02"
TEAL = "#1b8a7a"
PURPLE = "#7b4ea3"
LINES = (BLUE, ORANGE, TEAL, PURPLE, "#b2183b", "#8a6d1d", "#5d6b7a", "#3b3f8f")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5)))

PHASES = {
    "preparation": "#eceff3",
    "warm-up": "#fdf1dc",
    "discovery": "#e3eefa",
    "refinement": "#e6f4ec",
    "closing": "#f1e8f6",
    "head": "#fbe9ec",
}
OTHER_PHASE = "#f4f4f4"

MARKS = ("circle", "triangle", "square", "diamond", "cross")


@dataclass(frozen=True)
class Look:
    """How the samples of one class or category are drawn."""

    colour: str
    mark: str


UNKNOWN = Look("#b8bec8", MARKS[0])
"""Of samples without a known class, and of categories without a majority class."""


def class_looks(classes: tuple[str, ...]) -> dict[str, Look]:
    """A look for each class; after ten classes the colours come again with another mark."""
    size = len(CLASSES)
    return {name: Look(CLASSES[index % size], MARKS[index // size % len(MARKS)]) for index, name in enumerate(classes)}


def category_looks(majorities: dict[str, str | None], classes: dict[str, Look]) -> dict[str, Look]:
    """The look of its majority class for each category, in the order given.

    A second category of the same class keeps the colour and gets another mark; one without a majority
    class is grey.
    """
    seen: Counter[str] = Counter()
    looks: dict[str, Look] = {}
    for name, true_class in majorities.items():
        base = classes.get(true_class or "", UNKNOWN)
        looks[name] = Look(base.colour, MARKS[(MARKS.index(base.mark) + seen[true_class or ""]) % len(MARKS)])
        seen[true_class or ""] += 1
    return looks


def phase_colour(name: str) -> str:
    """The background of a phase's rounds."""
    return PHASES.get(name, OTHER_PHASE)


def tint(share: float) -> str:
    """Background of a cell of a heat map: white for 0, deep blue for 1."""
    # A root keeps small shares visible.
    depth = share**0.7
    return "#" + "".join(f"{round(255 + (deep - 255) * depth):02x}" for deep in (21, 78, 138))


def on_tint(share: float) -> str:
    """Text colour with enough contrast on ``tint(share)``."""
    return "#ffffff" if share > 0.6 else INK
