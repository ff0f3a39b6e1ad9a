"""Images: encoded files in an ``image`` column or a folder, learnt from by a small convolutional network."""

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.description import Description
from common.data.image_decoding import KIND, decode_images
from common.data.image_folder import read_image_folder
from common.data.kind import SampleKind, TableRows, View
from common.data.options import ReadOptions
from common.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from common.models.encoder import Encoder

SIDES = (8, 64)
"""Pixels that the convolutional network is made for."""


def _read_folder(path: Path, options: ReadOptions) -> Dataset | None:
    return read_image_folder(path, options) if path.is_dir() else None


def _from_table(table: TableRows) -> Dataset:
    encoded = _encoded(table.columns.column(0), table.source, table.folder)
    where = [f"column 'image', row {row}" for row in table.rows.tolist()]
    return decode_images(encoded, where, table.labels, table.ids, table.source, table.options)


def _encoded(column: "pa.ChunkedArray", source: str, folder: Path) -> list[bytes | Path | None]:
    """The content of every image, or where it lies."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if types.is_binary(column.type) or types.is_large_binary(column.type):
        return list(column.to_pylist())
    fields = {field.name for field in column.type} if types.is_struct(column.type) else set()
    if not fields & {"bytes", "path"}:
        raise InputError(
            f"{source}: column 'image' has type {column.type}; it must hold encoded image files, as bytes or "
            "as Hugging Face's struct of bytes and path."
        )
    nothing = [None] * len(column)
    contents = pc.struct_field(column, "bytes").to_pylist() if "bytes" in fields else nothing
    paths = pc.struct_field(column, "path").to_pylist() if "path" in fields else nothing
    return [
        content if content is not None else folder / path if path else None
        for content, path in zip(contents, paths, strict=True)
    ]


def _to_column(dataset: Dataset) -> tuple["pa.Array", Mapping[bytes, str]]:
    """Lossless PNG, declared as Hugging Face declares a column of images."""
    import pyarrow as pa

    files = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": _png(image), "path": None} for image in dataset.x], files)
    text = {"dtype": "string", "_type": "Value"}
    features = {"id": text, "image": {"_type": "Image"}, "label": text}
    return column, {b"huggingface": json.dumps({"info": {"features": features}})}


def _png(image: NDArray[np.generic]) -> bytes:
    from PIL import Image

    pixels = image[0] if image.shape[0] == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _describe(dataset: Dataset) -> Description:
    channels, height, width = dataset.sample_shape
    warnings = []
    if not SIDES[0] <= max(height, width) <= SIDES[1]:
        warnings.append(
            f"The network is made for images of {SIDES[0]} to {SIDES[1]} pixels, these have "
            f"{width}x{height}: resize them with --set image-size=32."
        )
    if dataset.skipped:
        warnings.append(f"{len(dataset.skipped)} images do not decode and are left out.")
    will = (
        f"A small convolutional network learns from the {'grey' if channels == 1 else 'RGB'} images.",
        "Pixels are scaled from 0..255 to 0..1.",
    )
    return Description(will, tuple(warnings))


def _build(shape: tuple[int, ...]) -> "Encoder":
    from common.models.convnet import ConvNet

    channels, height, width = shape
    return ConvNet(channels, height, width)


def _width(shape: tuple[int, ...]) -> int:
    from common.models.convnet import CONVNET_WIDTH

    return CONVNET_WIDTH


def _prepare(x: "Tensor") -> "Tensor":
    """uint8 ``[n, c, h, w]`` -> float in [0, 1]."""
    return x.float() / 255.0


def _view(strength: float, flip: bool) -> View:
    """Rotation, shift, scale and shear by kornia, each sample its own, plus noise.

    At strength 1: 14 degrees, an eighth of the width, 15 % and 11 degrees.
    """
    import kornia.augmentation as K
    import torch

    shift = min(1.0, 0.125 * strength)
    scale = min(0.9, 0.15 * strength)
    affine = K.RandomAffine(
        degrees=math.degrees(0.25) * strength,
        translate=(shift, shift),
        scale=(1 - scale, 1 + scale),
        shear=math.degrees(math.atan(0.2 * strength)),
        p=1.0,
    )
    mirror = K.RandomHorizontalFlip(p=0.5) if flip else None

    def view(x: "Tensor") -> "Tensor":
        moved: Tensor = affine(x)
        if mirror is not None:
            moved = mirror(moved)
        return moved + 0.05 * torch.randn_like(moved)

    return view


IMAGES = SampleKind(
    name=KIND,
    read_source=_read_folder,
    column="image",
    from_table=_from_table,
    to_column=_to_column,
    describe=_describe,
    model="convnet",
    build=_build,
    width=_width,
    image_backbone=True,
    prepare=_prepare,
    view=_view,
)
