"""Reading a data set, whatever form it comes in."""

from pathlib import Path

from common.data.csv import read_csv
from common.data.dataset import Dataset, is_path
from common.data.digits import read_digits
from common.data.image_folder import read_image_folder
from common.data.options import ReadOptions
from common.data.parquet import read_parquet
from common.errors import InputError, nearest

__all__ = ["ReadOptions", "read_dataset"]


def read_dataset(source: str, options: ReadOptions = ReadOptions()) -> Dataset:  # noqa: B008
    """The data set ``source``: ``digits``, a ``.parquet``, ``.csv`` or ``.csv.gz`` file, or an image folder.

    Raises InputError, in one sentence, for whatever cannot be read.
    """
    if not is_path(source):
        return read_digits(options)
    path = Path(source)
    try:
        if path.is_dir():
            return read_image_folder(path, options)
        if not path.exists():
            raise InputError(_missing(path))
        name = path.name.lower()
        if name.endswith(".parquet"):
            return read_parquet(path, options)
        if name.endswith((".csv", ".csv.gz")):
            return read_csv(path, options)
    except PermissionError as error:
        raise InputError(f"{source} may not be read by this user; change its permissions.") from error
    if name.endswith(".npz"):
        raise InputError(f"{source} holds a graph; graphs need --method fedlog.")
    raise InputError(
        f"{source} is of no kind this reads; give a .parquet, .csv or .csv.gz file, a folder of images, or digits."
    )


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{path} does not exist, nor does the folder {folder}; check the path."
    hint = nearest(path.name, {"digits", *(file.name for file in folder.iterdir())})
    return f"{path} does not exist; {hint if hint.startswith('did') else 'check the path.'}"
