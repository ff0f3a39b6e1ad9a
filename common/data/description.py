"""What a kind of data says of one data set in ``fedlpa data check``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """Sentences on one data set: what will be done with it, and what is worth knowing of its samples.

    ``constant_columns`` names the columns that are the same in every sample.
    """

    will: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    constant_columns: tuple[str, ...] = ()


def some(names: tuple[str, ...] | list[str]) -> str:
    """Names in quotes, the first ten of them.

    >>> some(["cat", "dog"])
    "'cat', 'dog'"
    """
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"'{name}'" for name in names[:10]) + more
