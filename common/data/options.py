"""What a reader may be told about a data set."""

from dataclasses import dataclass

from common.errors import InputError


@dataclass(frozen=True)
class ReadOptions:
    """How to read a data set; the defaults suit a file in the documented formats.

    ``image_size``: side in pixels every image is resized to. ``rows``: take that many rows at random.
    Raises InputError for sizes below 1.
    """

    label_column: str = "label"
    image_size: int | None = None
    skip_bad_images: bool = False
    rows: int | None = None
    rows_seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("image-size", self.image_size), ("rows", self.rows)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value} but must be at least 1; leave it out to keep the data as it is.")
        if self.rows_seed < 0:
            raise InputError(f"the seed {self.rows_seed} is negative; seeds are whole numbers from 0 up.")
