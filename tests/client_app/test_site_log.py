"""``site.log``: whole lines of the site's own, for its owner alone, whatever was logged, however full the disk."""

import logging
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from client_app.site_log import FILE, MARGIN, MOST_BYTES, MOST_TRACEBACK, OLDER, log_to_site
from common.errors import InputError
from common.one_line import MOST

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) .+")
log = logging.getLogger("fedlpa.site")


def lines(folder: Path) -> list[str]:
    return (folder / FILE).read_text().splitlines()


def test_what_is_logged_meanwhile_is_appended_and_nothing_else(tmp_path: Path) -> None:
    with log_to_site(tmp_path):
        log.info("one")
    log.error("outside")
    with log_to_site(tmp_path):
        log.warning("two %s", 2)
    assert [line.split(" ", 2)[2] for line in lines(tmp_path)] == ["INFO one", "WARNING two 2"]
    assert all(LINE.fullmatch(line) for line in lines(tmp_path))


def test_a_wrong_input_is_a_line_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(InputError), log_to_site(tmp_path):
        raise InputError("column 'a\nb' is missing.")
    (line,) = lines(tmp_path)
    assert line.endswith("ERROR column 'a\\nb' is missing.")


def test_a_traceback_is_below_its_line_and_set_off(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="forged"), log_to_site(tmp_path):
        raise ValueError("x\n2026-01-01 00:00:00,000 INFO forged\x1b[31m")
    first, *rest = lines(tmp_path)
    assert first.endswith("ERROR the round failed")
    assert rest
    assert all(line.startswith(MARGIN) for line in rest)
    assert rest[-1] == f"{MARGIN}2026-01-01 00:00:00,000 INFO forged\\x1b[31m"


def test_lines_and_tracebacks_are_bounded(tmp_path: Path) -> None:
    def deep(n: int) -> None:
        if n:
            deep(n - 1)
        raise ValueError("y" * 10**6)

    def fail() -> None:
        log.info("x" * 10**6)
        try:
            deep(30)
        except ValueError as error:
            raise ValueError("z") from error

    with pytest.raises(ValueError, match="z"), log_to_site(tmp_path):
        fail()
    assert max(map(len, lines(tmp_path))) <= MOST
    assert len(lines(tmp_path)) <= 2 + MOST_TRACEBACK


def test_a_file_that_is_full_becomes_the_older_one(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"a\n" * (MOST_BYTES // 2))
    (tmp_path / OLDER).write_text("oldest\n")
    with log_to_site(tmp_path):
        log.info("new")
        log.info("newer")
    assert [line.split(" ")[-1] for line in lines(tmp_path)] == ["new", "newer"]
    assert (tmp_path / OLDER).stat().st_size == MOST_BYTES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([FILE, OLDER])


def test_the_log_is_its_owners_alone_also_an_old_one(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with log_to_site(tmp_path / "new" / "state"):
            log.info("one")
        (tmp_path / FILE).touch(mode=0o644)
        with log_to_site(tmp_path):
            log.info("one")
    finally:
        os.umask(old)
    for folder in (tmp_path, tmp_path / "new" / "state"):
        assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "state").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_costs_the_log_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with log_to_site(tmp_path / "file" / "state"):
        log.error("nobody reads this")
    with pytest.raises(ValueError, match="mine"), log_to_site(tmp_path / "file"):
        raise ValueError("mine")


FULL = """
import logging, resource, sys
from pathlib import Path
from client_app.site_log import log_to_site
log, folder = logging.getLogger("fedlpa.site"), Path(sys.argv[1])
with log_to_site(folder):
    log.info("before")
    size = (folder / "site.log").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
    log.info("lost, because only ten bytes of it fit")
    log.info("lost too")
try:
    with log_to_site(folder):
        raise ValueError("the cause")
except ValueError as error:
    print("raised:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with log_to_site(folder):
    log.info("after")
"""


def test_a_full_disk_loses_whole_lines_says_how_many_and_raises_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the kernel writes what fits, then refuses."""
    told = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (told.returncode, told.stdout) == (0, "raised: the cause\n"), told.stderr
    assert all(LINE.fullmatch(line) for line in lines(tmp_path))
    assert [line.split(" ", 2)[-1] for line in lines(tmp_path)] == [
        "INFO before",
        "WARNING 3 lines before this could not be written",
        "INFO after",
    ]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
