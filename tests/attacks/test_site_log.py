"""A server writes lines into a site's own log, to hide what it did or to steer the terminal that shows them."""

import logging
from pathlib import Path

import pytest

from client_app.site_log import FILE, log_to_site

FORGED = "2026-01-01 00:00:00,000 INFO round 3: nothing left"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_no_text_of_a_message_forges_a_line_of_the_log(tmp_path: Path, end: str) -> None:
    with log_to_site(tmp_path):
        logging.getLogger("fedlpa.site").warning("unknown label %s", f"x{end}{FORGED}")
    with pytest.raises(ValueError, match="label"), log_to_site(tmp_path):
        raise ValueError(f"label{end}{FORGED}")
    assert not any(line.startswith(FORGED) for line in (tmp_path / FILE).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("steering", ["\x1b[2J", "\x9b2J", "\u202e", "\x08"], ids=ascii)
def test_no_text_of_a_message_steers_the_terminal_that_shows_the_log(tmp_path: Path, steering: str) -> None:
    with log_to_site(tmp_path):
        logging.getLogger("fedlpa.site").warning("unknown label %s", steering)
    assert steering not in (tmp_path / FILE).read_text(encoding="utf-8", errors="surrogateescape")
