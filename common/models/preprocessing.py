"""How a pretrained backbone wants its images, from the files beside its weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InputError

_RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}
_HALF = (0.5, 0.5, 0.5)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """How pixels in [0, 1] become the backbone's input: size ``(height, width)``, mean and std by channel."""

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resampling: str


def read_preprocessing(
    folder: Path, config: Any, name: str, shown: str
) -> tuple[Preprocessing, tuple[int, int] | None]:
    """From ``preprocessor_config.json``, the rest from the model's own configuration; and its native size.

    Raises:
        InputError: the file cannot be used; ``shown`` names the backbone in the message.
    """
    path = folder / "preprocessor_config.json"
    try:
        given = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        native = _size(getattr(config, "image_size", None))
        dino = "dino" in f"{config.model_type} {name}".lower()
        mean = given.get("image_mean") or (_IMAGENET_MEAN if dino else _HALF)
        std = given.get("image_std") or (_IMAGENET_STD if dino else _HALF)
        channels = int(getattr(config, "num_channels", None) or len(mean))
        if given.get("do_normalize") is False:
            mean, std = (0.0,) * channels, (1.0,) * channels
        preprocessing = Preprocessing(
            size=_size(given.get("crop_size")) or _size(given.get("size")) or native or (224, 224),
            mean=_by_channel(mean, channels),
            std=_by_channel(std, channels),
            resampling=_RESAMPLING.get(int(given.get("resample", 2)), "bilinear"),
        )
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{shown}: {path.name} cannot be used ({error}); copy it again or remove it.") from None
    return preprocessing, native


def _size(value: Any) -> tuple[int, int] | None:
    """``(height, width)`` of what configurations write: 224, [224, 224], {height, width} or {shortest_edge}."""
    if isinstance(value, dict):
        value = [value["height"], value["width"]] if "height" in value else value.get("shortest_edge")
    if value is None:
        return None
    height, width = value if isinstance(value, (list, tuple)) else (value, value)
    if not 1 <= int(height) <= 4096 or not 1 <= int(width) <= 4096:
        raise ValueError(f"image size {value}")
    return int(height), int(width)


def _by_channel(values: Any, channels: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) == channels:
        return numbers
    return (sum(numbers) / len(numbers),) * channels
