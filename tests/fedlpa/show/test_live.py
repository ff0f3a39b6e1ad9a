"""The live view on a terminal and in a log file."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from common.run.record import RoundRecord, read_rounds
from fedlpa.show.live import LiveView, absences, plain_line, table

SCORES = {
    "global": {"all": 0.931, "old": 0.982, "new": 0.901},
    "local": {"all": 0.9, "old": None, "new": 0.88},
    "seen_accuracy": 0.97,
}


def record(index: int, **changes: Any) -> RoundRecord:
    given = {
        "round": index,
        "rounds": 27,
        "phase": "refinement",
        "loss": {"total": 1.2345},
        "scores": SCORES,
        "categories": {"found": 11, "true": 10},
        "concepts": {"site-0": 12, "site-1": 9, "site-2": 10},
        "clients": {"asked": 5, "answered": 4, "sat_out": [], "failed": [], "refused": []},
        "bytes": {"up": 150_000, "down": 200_000},
        "seconds": {"round": 4.0},
        "health": {},
        **changes,
    }
    return RoundRecord.model_validate(given)


FAILED = {
    "asked": 5,
    "answered": 2,
    "sat_out": ["site-1"],
    "failed": [{"site": "site-3", "reason": "no reply within 600 s"}],
    "refused": [{"site": "site-4", "reason": "loss is not finite"}],
}


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=50, color_system=None, _environ={})


def on_terminal(records: list[RoundRecord], width: int = 130) -> str:
    """What stands on the terminal at the end, without control sequences."""
    console = terminal(width)
    with LiveView(console=console) as view:
        for each in records:
            view.on_round(each)
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    # The view draws over itself: what counts is the last drawing.
    last = re.split(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*", written)[-1]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last)


def test_a_log_gets_one_plain_line_a_round() -> None:
    stream = io.StringIO()
    with LiveView(stream) as view:
        view.on_round(record(16, phase="warm-up", scores=None, categories={}, concepts={}))
        view.on_round(record(17))
    assert stream.getvalue().splitlines() == [
        "round 16/27 warm-up: loss 1.23; 37.5 kB up, 40.0 kB down a client; 4/5 answered",
        "round 17/27 refinement: loss 1.23; global All 93.1, Old 98.2, New 90.1; local All 90.0, New 88.0; "
        "Seen-class accuracy 97.0; 9–12 concepts a site; 11 categories (true 10); "
        "37.5 kB up, 40.0 kB down a client; 4/5 answered",
    ]


def test_a_log_gets_failures_and_their_reasons_beneath_the_round() -> None:
    stream = io.StringIO()
    with LiveView(stream) as view:
        view.on_round(record(3, clients=FAILED))
        view.on_message("site-3 is back")
    assert stream.getvalue().splitlines()[1:] == [
        "  round 3: site-3 failed: no reply within 600 s",
        "  round 3: site-4 was refused: loss is not finite",
        "  round 3: site-1 sat out",
        "site-3 is back",
    ]


@pytest.mark.parametrize("width", [None, 130])
def test_what_a_site_sends_cannot_steer_the_terminal(width: int | None) -> None:
    bad = {"site": "site\x1b]0;owned\x07", "reason": "line\nbreak \x1b[2J[red]not markup[/red] \u202eback"}
    hostile = record(
        1,
        phase="warm\x1b[31m-[b]up[/b]",
        scores={"glo\x1b[1mbal": {"all": 0.5}},
        clients={"asked": 1, "answered": 0, "failed": [bad]},
    )
    if width is None:
        stream = io.StringIO()
        with LiveView(stream) as view:
            view.on_round(hostile)
            view.on_message("and\x1b[2J this")
        shown = stream.getvalue()
        assert not re.search(r"[^\n\x20-\x7e\u2013]", shown)
        assert "and[2J this" in shown
    else:
        shown = on_terminal([hostile], width)
    assert "site]0;owned failed: line break [2J[red]not markup[/red] back" in shown
    # On a terminal the phase stands in the heading and in the table.
    assert shown.count("warm[31m-[b]up[/b]") == (1 if width is None else 2)
    assert "\x1b" not in shown


def test_a_terminal_shows_progress_table_and_failures() -> None:
    shown = on_terminal([record(16), record(17, clients=FAILED)])
    assert "Round 17 of 27 · refinement · 8.0\u00a0s so far" in shown.splitlines()[0]
    assert re.search(r"about (39|40)\u00a0s left", shown.splitlines()[0])
    assert "━" in shown.splitlines()[1]
    heads = next(line for line in shown.splitlines() if "Phase" in line)
    assert re.split(r"\s{2,}", heads.strip()) == [
        "Round",
        "Phase",
        "Loss",
        "Global A/O/N",
        "Local A/O/N",
        "Seen",
        "Concepts",
        "Found",
        "Up/down a client",
        "Sites",
    ]
    row = next(line for line in shown.splitlines() if line.strip().startswith("16"))
    assert row.replace("\u00a0", "_").split() == [
        "16",
        "refinement",
        "1.23",
        "93.1/98.2/90.1",
        "90.0/–/88.0",
        "97.0",
        "9–12",
        "11",
        "37.5_kB/40.0_kB",
        "4/5",
    ]
    assert "round 17: site-3 failed: no reply within 600 s" in shown


def test_a_finished_run_has_nothing_left() -> None:
    first = on_terminal([record(27)]).splitlines()[0]
    assert first.rstrip() == "Round 27 of 27 · refinement · 4.0\u00a0s so far"


def test_a_run_without_rounds_is_waited_for() -> None:
    assert on_terminal([]).startswith("Waiting for the first round")


@pytest.mark.parametrize("width", [80, 100, 130])
def test_a_narrow_terminal_drops_columns_but_cuts_none(width: int) -> None:
    shown = on_terminal([record(26), record(27)], width)
    assert "…" not in shown
    assert all(len(line) <= width for line in shown.splitlines())
    assert "93.1/98.2/90.1" in shown
    assert ("37.5" in shown) == (width == 130)


def test_only_the_last_rounds_are_shown() -> None:
    shown = on_terminal([record(index) for index in range(1, 28)])
    numbers = [int(found) for found in re.findall(r"(?m)^\s*(\d+)\s+refinement", shown)]
    assert numbers == list(range(16, 28))


def test_many_failures_are_counted_not_listed() -> None:
    shown = on_terminal([record(index, clients=FAILED) for index in range(1, 5)])
    assert "… and 6 earlier" in shown
    assert "round 2:" not in shown
    assert "round 4: site-1 sat out" in shown


def test_a_round_run_again_replaces_the_later_ones() -> None:
    shown = on_terminal([record(1), record(2), record(3), record(2, phase="closing")])
    assert re.findall(r"(?m)^\s*(\d+)\s+(refinement|closing)", shown) == [("1", "refinement"), ("2", "closing")]


def test_graph_scores_get_columns_of_their_own() -> None:
    scores = {"seen": 0.93, "unseen_node": 0.909, "missing_class": None, "new_client": 0.601}
    console = terminal(130)
    console.print(table([record(1, scores=scores, concepts={}, categories={})], 130))
    assert isinstance(console.file, io.StringIO)
    head, _, row = (line for line in console.file.getvalue().splitlines() if line.strip())
    assert "Seen graph" in head
    assert "Unseen node" in head
    assert "Missing class" not in head
    assert "Concepts" not in head
    assert row.split()[3:6] == ["93.0", "90.9", "60.1"]


def test_a_record_with_nothing_in_it_is_shown() -> None:
    bare = RoundRecord.model_validate({"round": 1, "rounds": 2, "phase": None, "loss": {}, "scores": {"global": None}})
    assert plain_line(bare) == "round 1/2"
    assert absences(bare) == []
    assert "Round 1 of 2" in on_terminal([bare])


def test_it_can_follow_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rounds.jsonl"
    path.write_text("".join(record(index).to_line() for index in (1, 2)))
    stream = io.StringIO()
    with LiveView(stream) as view:
        for each in read_rounds(path):
            view.on_round(each)
    assert [line.split(" ")[1] for line in stream.getvalue().splitlines()] == ["1/27", "2/27"]
