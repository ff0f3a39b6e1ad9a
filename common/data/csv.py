"""Data sets in CSV files: comma-separated, UTF-8, the first line holds the columns' names."""

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Any

from common.data.dataset import Dataset
from common.data.number_columns import is_number
from common.data.options import ReadOptions
from common.data.table import dataset_from_table
from common.errors import InputError


def read_csv(path: Path, options: ReadOptions) -> Dataset:
    """The samples of a ``.csv`` or ``.csv.gz`` file; raises InputError for a file that cannot be used."""
    source = str(path)
    table = _parse(_content(path), source)
    options = options.for_columns(table.column_names)
    for place, name in enumerate(table.column_names):
        if name == "id":
            continue
        typed = _typed_labels(table[place]) if name == options.label_column else _typed(table[place])
        table = table.set_column(place, name, typed)
    return dataset_from_table(table, options, source=source, folder=path.parent)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); write or copy the file again.") from error
    if not content.strip():
        raise InputError(f"{path} is empty; give it a line of column names and a line a sample.")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save the file as CSV in UTF-8.") from error
    return content


def _parse(content: bytes, source: str) -> Any:
    """A table of text columns, empty fields null."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    wrong: list[str] = []

    def note(row: Any) -> str:
        place = row.number - 2  # counted by Arrow from 1, the line of names included
        wrong.append(
            f"{source}: row {place} has {row.actual_columns} fields where the first line names "
            f"{row.expected_columns} columns; mend that line"
        )
        return "error"

    names = _header(content, source)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            # Rows are only numbered on one thread, and a row must fit into a block.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            wrong[0] if wrong else f"{source} cannot be read as CSV ({reason}); write the file again."
        ) from error
    return table.rename_columns([name.strip() for name in table.column_names])


def _header(content: bytes, source: str) -> list[str]:
    """The columns' names as they stand in the first line; raises InputError where they cannot be names."""
    lines = (line for line in io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="") if line.strip("\r\n"))
    try:
        names = next(csv.reader(lines, strict=True))
    except (csv.Error, StopIteration) as error:
        raise InputError(f"{source}, line 1: not a line of column names ({error}); write one.") from error
    for other in (";", "\t"):
        if len(names) == 1 and other in names[0]:
            raise InputError(f"{source}, line 1: the columns are separated by {other!r}; separate them by commas.")
    for place, name in enumerate(names):
        if not name.strip():
            raise InputError(
                f"{source}, line 1: column {place} has no name; name it, or leave it out where it only "
                "numbers the rows (in pandas: to_csv(index=False))."
            )
    if all(is_number(name) for name in names) and not all(name.strip().isdecimal() for name in names):
        raise InputError(
            f"{source}, line 1: numbers ({names[0]}, ...) stand where the columns' names belong; "
            "write a first line of names."
        )
    return names


def _typed(column: Any) -> Any:
    """The text column as numbers, or as truth values, where all of it reads so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column)
    filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    for kind in (pa.float64(), pa.bool_()):
        try:
            return filled.cast(kind)
        except pa.ArrowInvalid:
            continue
    return column


def _typed_labels(column: Any) -> Any:
    """Labels like 3.0, which a nullable column of whole numbers turns into, as numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = _typed(column)
    written_as_floats = pc.any(pc.match_substring(column, ".")).as_py()
    return numbers if pa.types.is_floating(numbers.type) and written_as_floats else column
