"""What ``fedlpa site start`` tells of the run, from lines that the site's own audit log wrote."""

from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, RecordDict

from client_app.audit import FILE, Event, append_event
from client_app.site_config import SiteConfig
from common.wire.messages import DELIVER
from fedlpa.site.replies import MOST_LINE, Follower, read_reply
from fedlpa.site.story import Story


@pytest.fixture
def tell(make_site: Callable[..., SiteConfig]) -> Callable[..., list[str]]:
    """Writes one event to the site's log and returns what is said of it."""
    config = make_site()
    config.state.mkdir(exist_ok=True)
    follower, story = Follower(config.state / FILE), Story(config)

    def one(outcome: str, number: int = 1, kind: str = "train", reason: str = "", size: int = 0) -> list[str]:
        content = RecordDict({"update": ArrayRecord({"w": Array(np.zeros(size))})}) if size else None
        event = Event("trial", "fedlpa", number, 9, kind, outcome, reason, 1.25)  # type: ignore[arg-type]
        append_event(config.state, event, content)
        replies = [read_reply(line) for line in follower.new_lines()]
        return [line for reply in replies if reply for line in story.lines(reply)]

    return one


def test_who_asks_is_told_once_and_each_round_with_what_left_and_how_long(tell: Callable[..., list[str]]) -> None:
    asks, left = tell("sent", size=2)
    assert asks == "fl.example.org:9092 asks for run trial: fedlpa, 9 rounds; approved"
    assert left.startswith("round 1 of 9: update, ")
    assert " left in 1.2 s" in left
    assert len(tell("sent", 2, size=2)) == 1


def test_a_run_that_is_not_approved_says_how_to_and_then_that_it_is(tell: Callable[..., list[str]]) -> None:
    first = tell("not-approved", reason="nobody approved it")
    assert "not approved" in first[0]
    assert "fedlpa site approve --config" in first[0]
    assert tell("not-approved", reason="nobody approved it") == []
    assert tell("sent", size=1)[0] == "run trial is approved now"


def test_a_repeated_reply_and_one_held_back_are_told_apart(tell: Callable[..., list[str]]) -> None:
    tell("sent", size=1)
    assert "asked again, the same reply left again" in tell("repeated", size=1)[0]
    (held,) = tell("held-back", 2, reason="its norm is too large")
    assert held == "round 2 of 9: held back, nothing left: its norm is too large"


def test_the_end_names_the_run_and_where_its_results_lie(tell: Callable[..., list[str]]) -> None:
    tell("sent", size=1)
    left, end = tell("sent", 9, kind=DELIVER)
    assert left.startswith("final model: ")
    assert end.startswith("run trial has ended; 1 rounds and ")
    assert "it left no results in " in end


def test_hundreds_of_refusals_are_a_few_lines(tell: Callable[..., list[str]]) -> None:
    said = [line for number in range(1, 201) for line in tell("refused", number, reason="too many rounds")]
    assert len(said) == 4  # who asks, the refusal, the tenth and the hundredth


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b'{"n": 1}', b"[" * 10**5, b"\xff\xfe"])
def test_a_line_that_is_no_reply_is_none(line: bytes) -> None:
    assert read_reply(line) is None


def test_half_a_line_waits_for_its_end_and_one_that_is_too_long_is_passed_over(
    make_site: Callable[..., SiteConfig],
) -> None:
    path = make_site().source.with_name("audit.jsonl")
    path.write_bytes(b"old\n")
    follower = Follower(path)
    with open(path, "ab", buffering=0) as file:
        file.write(b"a")
        assert follower.new_lines() == []
        file.write(b"b\n" + b"x" * (MOST_LINE + 1) + b"\nc\n")
    assert follower.new_lines() == [b"ab", b"c"]
    assert follower.new_lines() == []
