"""Data sets in image folders: one folder a class, ``_unlabelled/`` beside them; or one flat folder."""

import os
from pathlib import Path

from common.data.dataset import Dataset
from common.data.image_decoding import decode_images
from common.data.labels import label_name
from common.data.options import ReadOptions
from common.errors import InputError

UNLABELLED = "_unlabelled"
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"))


def read_image_folder(folder: Path, options: ReadOptions) -> Dataset:
    """The images below ``folder``; an image's id is its path inside it.

    Folders inside a class's folder belong to the class. Files whose names do not end like an image's are
    passed over, hidden ones too. Raises InputError for a folder that cannot be used.
    """
    files = _image_files(folder)
    loose = [file for file in files if "/" not in file]
    if loose and len(loose) < len(files):
        raise InputError(
            f"{folder} holds both folders of images and loose images ({loose[0]}); move the loose ones into "
            f"{UNLABELLED}/ or into the folder of their class."
        )
    rows = options.choose_rows(len(files)).tolist()
    chosen = [files[row] for row in rows]
    labels = [_label(file) for file in chosen]
    return decode_images([folder / file for file in chosen], chosen, labels, chosen, str(folder), options)


def _image_files(folder: Path) -> list[str]:
    """Paths of the images inside ``folder``, with forward slashes, sorted."""
    found: list[str] = []
    others: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = (Path(place) / name).relative_to(folder).as_posix()
            if not name.startswith("."):
                (found if Path(name).suffix.lower() in SUFFIXES else others).append(file)
    if not found:
        held = f"holds {', '.join(sorted(others)[:3])}" if others else "is empty"
        raise InputError(
            f"{folder} has no images in it ({held}); give it one folder of images a class, or name a Parquet "
            "or CSV file instead of its folder."
        )
    for file in found:
        if not file.isprintable():
            raise InputError(
                f"{folder}: the file name {file!r} holds characters that cannot be printed; rename the file."
            )
    return sorted(found)


def _label(file: str) -> str | None:
    top, _, rest = file.partition("/")
    return label_name(top) if rest and top != UNLABELLED else None
