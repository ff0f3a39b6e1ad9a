"""Work that takes too long or too much is broken off while it runs."""

import time

import pytest

from client_app.limits import GIB, held_to, most_memory, resident_bytes
from client_app.site_config import Limits


def broken_off(limits: Limits, seconds: float, hold: int = 0) -> list[str]:
    """What was said while a block of that many seconds held so many bytes."""
    said: list[str] = []
    with held_to(limits, said.append):
        kept = b"\1" * hold
        end = time.monotonic() + seconds
        while time.monotonic() < end and not said:
            time.sleep(0.02)
        del kept
    return said


def test_too_long() -> None:
    assert broken_off(Limits(max_seconds=0.3), 20) == ["the work took longer than max-seconds=0.3"]


def test_too_much_memory() -> None:
    limit = (resident_bytes() + 50 * 2**20) / GIB
    (said,) = broken_off(Limits(max_memory=limit), 20, hold=200 * 2**20)
    assert said.endswith(f"more than max-memory={limit:.1f}")


def test_what_is_within_the_limits_is_left_alone() -> None:
    assert broken_off(Limits(), 0.6) == []


def test_without_a_limit_it_is_three_quarters_of_the_machine() -> None:
    import psutil

    assert most_memory(Limits()) == pytest.approx(0.75 * psutil.virtual_memory().total, rel=0.01)
    assert most_memory(Limits(max_memory=2.5)) == int(2.5 * GIB)
