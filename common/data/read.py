"""Reading a data set, whatever form it comes in."""

from pathlib import Path

from common.data.csv import read_csv
from common.data.dataset import Dataset
from common.data.digits import is_digits, read_digits
from common.data.kind_registry import KINDS
from common.data.options import ReadOptions
from common.data.parquet import read_parquet
from common.errors import InputError, nearest

__all__ = ["ReadOptions", "read_dataset"]


def read_dataset(source: str, options: ReadOptions = ReadOptions()) -> Dataset:  # noqa: B008
    """The data set ``source``: ``digits``, a ``.parquet``, ``.csv`` or ``.csv.gz`` file, or an image folder.

    Raises InputError, in one sentence, for whatever cannot be read.
    """
    if is_digits(source):
        return read_digits(options)
    path = Path(source)
    name = path.name.lower()
    try:
        if not path.exists():
            raise InputError(_missing(path))
        for kind in KINDS.values():
            if (dataset := kind.read_source(path, options)) is not None:
                return dataset
        if name.endswith(".parquet"):
            return read_parquet(path, options)
        if name.endswith((".csv", ".csv.gz")):
            return read_csv(path, options)
    except PermissionError as error:
        raise InputError(f"{source} may not be read by this user; change its permissions.") from error
    raise InputError(
        f"{source} is of no kind this reads; give a .parquet, .csv or .csv.gz file, a folder of images, or digits."
    )


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{path} does not exist, nor does the folder {folder}; check the path."
    hint = nearest(path.name, {"digits", *(file.name for file in folder.iterdir())})
    return f"{path} does not exist; {hint if hint.startswith('did') else 'check the path.'}"
