"""What a label means: a class name, or nothing where the sample is unlabelled."""

import json
import math
from typing import Any

from common.errors import InputError


def label_name(value: object) -> str | None:
    """The class name a raw label stands for; None for null, "", NaN, -1 and "-1" (unlabelled).

    Raises ``ValueError`` for a value that cannot name a class, such as 0.5 or a date.

    >>> label_name(3.0), label_name(" cat "), label_name(-1)
    ('3', 'cat', None)
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        text = value.strip()
        return None if text in ("", "-1") or text.casefold() == "nan" else text
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if not value.is_integer():
            raise ValueError(value)
        value = int(value)
    if isinstance(value, int):
        return None if value == -1 else str(value)
    raise ValueError(value)


def label_names(
    values: list[Any], *, known: tuple[str, ...], source: str, column: str, rows: list[int]
) -> tuple[str | None, ...]:
    """Class names of a whole column.

    ``known`` holds the names of a Hugging Face ClassLabel, which the integers index; empty without one.
    ``rows[i]`` is the row of the file ``values[i]`` stands in, for the message.
    Raises InputError at the first value that names no class.
    """
    names: list[str | None] = []
    for row, value in zip(rows, values, strict=True):
        try:
            name = label_name(value)
        except ValueError:
            raise InputError(
                f"{source}: column '{column}', row {row}: the label {value!r} names no class; "
                "labels are text or whole numbers, empty or -1 where unlabelled."
            ) from None
        names.append(_look_up(name, known, f"{source}: column '{column}', row {row}") if known else name)
    return tuple(names)


def class_label_names(metadata: dict[bytes, bytes] | None, column: str) -> tuple[str, ...]:
    """Names of the Hugging Face ClassLabel ``column``, from an Arrow schema's metadata; () without one."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        names = features[column].get("names")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _look_up(name: str | None, known: tuple[str, ...], where: str) -> str | None:
    if name is None or name in known:
        return name
    if not name.isdecimal() or int(name) >= len(known):
        raise InputError(
            f"{where}: the label {name} is not among the {len(known)} class names of the file's schema; "
            "write a class number below that, or -1 where unlabelled."
        )
    return label_name(known[int(name)])
