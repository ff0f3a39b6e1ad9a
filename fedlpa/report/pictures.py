"""Sample images as data URIs, and the overview of each category they belong to."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedlpa.report.colours import Look
from fedlpa.report.confusion import majority
from fedlpa.report.samples import SHOWN_PER_CATEGORY, Samples
from fedlpa.report.words import percent

LARGEST = 64
"""Longer side of a shown image in pixels; larger images are reduced."""
MOST_PICTURES = 720


@dataclass(frozen=True)
class Picture:
    """One shown sample."""

    uri: str
    text: str
    right: bool
    reduced: bool


@dataclass(frozen=True)
class Category:
    """One category: ``samples`` unlabelled samples of ``sites`` sites, and what it mostly holds."""

    name: str
    novel: bool
    samples: int
    sites: int
    true_class: str | None
    purity: float | None
    look: Look
    pictures: tuple[Picture, ...]


def describe_categories(samples: Samples, rows: NDArray[np.int64], looks: dict[str, Look]) -> list[Category]:
    """Each category of ``rows``, in the order of ``looks``, with pictures if the samples are images."""
    shown = max(4, min(SHOWN_PER_CATEGORY, MOST_PICTURES // max(len(looks), 1)))
    categories: list[Category] = []
    for name, look in looks.items():
        members = rows[samples.category[rows] == name]
        if not len(members):
            continue
        true_class, purity = majority(samples.truth[members])
        chosen = _from_different_sites([row for row in members.tolist() if row in samples.pictures], samples, shown)
        categories.append(
            Category(
                name=name,
                novel=bool(np.mean(samples.novel[members]) > 0.5),
                samples=len(members),
                sites=len(np.unique(samples.site[members])),
                true_class=true_class,
                purity=purity,
                look=look,
                pictures=tuple(_picture(samples, row, true_class) for row in chosen),
            )
        )
    return categories


def _from_different_sites(rows: list[int], samples: Samples, wanted: int) -> list[int]:
    """The most confident row of each site in turn until ``wanted`` are taken; by confidence."""

    def confidence(row: int) -> float:
        return -float(np.nan_to_num(samples.confidence[row]))

    turns: dict[int, int] = {}
    ranked: list[tuple[int, float, int]] = []
    for row in sorted(rows, key=confidence):
        site = int(samples.site[row])
        turns[site] = turns.get(site, 0) + 1
        ranked.append((turns[site], confidence(row), row))
    return sorted((row for _, _, row in sorted(ranked)[:wanted]), key=confidence)


def _picture(samples: Samples, row: int, expected: str | None) -> Picture:
    truth = samples.truth[row]
    confidence = float(samples.confidence[row])
    parts = [f"sample {samples.ids[row]} of {samples.sites[samples.site[row]]}"]
    if truth is not None:
        parts.append(f"true class {truth}")
    if np.isfinite(confidence):
        parts.append(f"confidence {percent(confidence, 0)}")
    image = samples.pictures[row]
    return Picture(
        uri=_data_uri(image),
        text=", ".join(parts),
        right=truth is None or truth == expected,
        reduced=max(image.shape[1:]) > LARGEST,
    )


def _data_uri(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    channels = image.shape[0]
    pixels = image[0] if channels in (1, 2) else np.moveaxis(image[:3], 0, -1)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    large = max(picture.size) > LARGEST
    if large:
        picture.thumbnail((LARGEST, LARGEST))
    file = io.BytesIO()
    # PNG keeps small pictures exact; of a reduced photograph JPEG takes a fifth of its space.
    kind = "jpeg" if large else "png"
    picture.save(file, format=kind, **({"quality": 82} if large else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
