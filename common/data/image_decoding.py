"""Decoding image files into a data set of pixels."""

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.options import ReadOptions
from common.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

KIND = "images"
"""The name of this kind of data."""

_BLOCK = 64  # images a task: enough to hide what handing over a task costs
_SMALL = 16_384  # mean bytes of an encoded image


class _BadImageError(Exception):
    """This one image cannot be used; the message says why."""


def decode_images(
    encoded: Sequence[bytes | Path | None],
    where: Sequence[str],
    labels: Sequence[str | None],
    ids: Sequence[str],
    source: str,
    options: ReadOptions,
) -> Dataset:
    """The data set of n image files, given as their content or path; ``where[i]`` names the i-th in messages.

    All grey: one channel; otherwise all RGB. With ``image_size`` every image is resized to that square
    (bilinear, antialiased), without it all must have one size. Raises InputError otherwise, and for an
    image that does not decode unless ``skip_bad_images``.
    """
    pixels: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    skipped: list[str] = []
    for i, image in enumerate(_decode_all(encoded, options.image_size)):
        if isinstance(image, str):
            if not options.skip_bad_images:
                raise InputError(
                    f"{source}: {where[i]}: {image}; replace or remove it, or leave such images out "
                    "with --set skip-bad-images=true."
                )
            skipped.append(f"{source}: {where[i]} was left out: {image}.")
            continue
        if pixels and image.shape[:2] != pixels[0].shape[:2]:
            raise InputError(
                f"{source}: the images differ in size ({where[kept[0]]} is {_size(pixels[0])}, {where[i]} "
                f"is {_size(image)}); have them resized, for example with --set image-size=32."
            )
        pixels.append(image)
        kept.append(i)
    if not pixels:
        raise InputError(f"{source}: none of the {len(where)} images can be read; replace the files.")
    return Dataset(
        kind=KIND,
        x=_stack(pixels),
        labels=tuple(labels[i] for i in kept),
        ids=tuple(ids[i] for i in kept),
        source=source,
        skipped=tuple(skipped),
    )


def resize_images(x: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Images uint8 ``[n, channels, height, width]`` as ``[n, channels, side, side]``, as decoding does it."""
    from PIL import Image as Pillow

    resized = np.empty((*x.shape[:2], side, side), dtype=np.uint8)
    for index in np.ndindex(*x.shape[:2]):
        image = Pillow.fromarray(x[index])
        resized[index] = np.asarray(image.resize((side, side), Pillow.Resampling.BILINEAR))
    return resized


def _decode_all(encoded: Sequence[bytes | Path | None], image_size: int | None) -> Iterator[NDArray[np.uint8] | str]:
    """Pixels ``[h, w]`` or ``[h, w, 3]`` of every image, or why there are none, in the given order."""
    blocks = [encoded[start : start + _BLOCK] for start in range(0, len(encoded), _BLOCK)]

    def decode_block(block: Sequence[bytes | Path | None]) -> list[NDArray[np.uint8] | str]:
        return [_decode(image, image_size) for image in block]

    if _are_small(encoded):
        yield from chain.from_iterable(map(decode_block, blocks))
        return
    with ThreadPoolExecutor(min(len(blocks), os.cpu_count() or 1, 8)) as pool:
        yield from chain.from_iterable(pool.map(decode_block, blocks))


def _are_small(encoded: Sequence[bytes | Path | None]) -> bool:
    """Whether decoding is mostly Python's work, which threads only slow down (measured: by half)."""
    sizes = [len(image) for image in encoded if isinstance(image, bytes)]
    return bool(sizes) and sum(sizes) < _SMALL * len(sizes)


def _decode(image: bytes | Path | None, image_size: int | None) -> NDArray[np.uint8] | str:
    from PIL import Image, ImageOps

    if image is None:
        return "there is no image"
    try:
        with Image.open(image if isinstance(image, Path) else io.BytesIO(image)) as opened:
            upright = ImageOps.exif_transpose(opened) if opened.getexif() else opened
            plain = _to_eight_bits(upright)
            if image_size is not None and plain.size != (image_size, image_size):
                plain = plain.resize((image_size, image_size), Image.Resampling.BILINEAR)
            return np.array(plain, dtype=np.uint8)
    except FileNotFoundError:
        return f"the image file {str(image)!r} does not exist"
    except _BadImageError as bad:
        return str(bad)
    except Exception:  # noqa: BLE001 - PIL's decoders raise nearly anything on broken files
        return "the image cannot be decoded"


def _to_eight_bits(image: "Image.Image") -> "Image.Image":
    """The image in mode L or RGB."""
    from PIL import Image as Pillow

    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise _BadImageError("its pixels have more than 16 bits, convert it to 8 bits")
        return Pillow.fromarray(np.round(values / 257).astype(np.uint8))
    if image.mode == "F":
        raise _BadImageError("its pixels are floating-point numbers, convert it to 8 bits")
    return image.convert("RGB")


def _stack(pixels: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """``[n, channels, h, w]`` from images of one size, grey ones spread over RGB where both occur."""
    grey = all(image.ndim == 2 for image in pixels)
    stacked = np.empty((len(pixels), 1 if grey else 3, *pixels[0].shape[:2]), dtype=np.uint8)
    for i, image in enumerate(pixels):
        stacked[i] = image if image.ndim == 2 else image.transpose(2, 0, 1)
    return stacked


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
