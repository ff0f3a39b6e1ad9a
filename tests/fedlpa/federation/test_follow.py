"""``fedlpa run`` against a SuperLink that is played: what it submits, shows, waits for, goes on after, gives up on."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.proto.control_pb2 import ListRunsResponse, StartRunResponse
from flwr.proto.run_pb2 import Run, RunStatus

from common.config import make_config
from common.errors import InputError, RunFailedError
from common.locks import hold_lock
from common.run.record import RoundRecord
from common.run.run_files import RunFiles
from fedlpa import liveness
from fedlpa.federation import follow
from fedlpa.federation.server_config import ServerConfig, load_server_config
from fedlpa.flower.control import NoServerError

Status = tuple[str, str, str]
"""Flower's status of a run, its sub-status, details."""
Life = Generator[Status, None, None]
"""What becomes of one submission: the status at each look, the last for ever; between two the ServerApp works."""

RUNNING: Status = ("running", "", "")
COMPLETED: Status = ("finished", "completed", "")


def failed(why: str) -> Status:
    return ("finished", "failed", why)


class SuperLink:
    """Plays one life after the other. ``away``: how often it does not answer, from now on."""

    def __init__(self, *lives: Life) -> None:
        self.lives = list(lives)
        self.runs: dict[int, Life] = {}
        self.last: dict[int, Status] = {}
        self.submitted: list[str] = []
        self.bundles: list[bytes] = []
        self.stopped: list[int] = []
        self.away: float = 0
        self.ids = count(41)

    @contextmanager
    def control(self, server: ServerConfig) -> Iterator["SuperLink"]:
        if self.away > 0:
            self.away -= 1
            raise NoServerError("no server answers")
        yield self

    def adopt(self, run_id: int, life: Life) -> None:
        self.runs[run_id] = life

    def StartRun(self, request: Any) -> StartRunResponse:  # noqa: N802 - Flower's names
        run_id = next(self.ids)
        self.bundles.append(request.fab.content)
        self.submitted.append(request.override_config["run-folder"].string)
        self.adopt(run_id, self.lives.pop(0))
        return StartRunResponse(run_id=run_id)

    def ListRuns(self, request: Any) -> ListRunsResponse:  # noqa: N802
        if request.run_id not in self.runs:
            return ListRunsResponse()
        self.last[request.run_id] = next(self.runs[request.run_id], self.last.get(request.run_id, RUNNING))
        status, sub_status, details = self.last[request.run_id]
        found = Run(run_id=request.run_id, status=RunStatus(status=status, sub_status=sub_status, details=details))
        return ListRunsResponse(run_dict={request.run_id: found})

    def StopRun(self, request: Any) -> None:  # noqa: N802
        self.stopped.append(request.run_id)


class Command:
    """``fedlpa run`` in a folder, with what it said and showed."""

    def __init__(self, folder: Path, server: ServerConfig, play: Callable[[SuperLink], None]) -> None:
        self.files, self.server, self.play = RunFiles(folder / "run"), server, play
        self.files.folder.mkdir()
        self.said: list[str] = []
        self.shown: list[RoundRecord] = []

        given = {"kind": "vectors", "sample-shape": "4", "seen-classes": "a,b", "out": str(self.files.folder)}
        self.config = make_config(given)

    def run(self, link: SuperLink, **settings: Any) -> dict[str, Any]:
        self.play(link)
        return follow.run_federation(
            self.config, self.server, watch=self.shown.append, say=self.said.append, **settings
        )

    def was_begun(self, flower_run: str) -> None:
        """An earlier command has submitted this run, and died."""
        self.files.write_config(self.config)
        (self.files.folder / "flower-run.json").write_text(flower_run)

    def round(self, number: int, **more: Any) -> None:
        """The ServerApp ends a round."""
        self.files.add_round(RoundRecord(round=number, rounds=3, **more))

    def end(self) -> None:
        """The ServerApp writes the run's result."""
        self.files.metrics.write_text('{"rounds": 3}')

    def write(self, name: str, **content: Any) -> None:
        (self.files.folder / name).write_text(json.dumps(content))

    def whole(self) -> Life:
        """A submission that ends well."""
        yield RUNNING
        self.end()
        yield COMPLETED


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes only in sleep."""
    made = SimpleNamespace(now=1000.0, slept=[])

    def sleep(seconds: float) -> None:
        made.now += seconds
        made.slept.append(seconds)

    monkeypatch.setattr(follow, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=sleep))
    return made


@pytest.fixture
def command(tmp_path: Path, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Command:
    (tmp_path / "server.toml").write_text("")
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(follow, "build_bundle", lambda: b"the application")
    monkeypatch.setattr("fedlpa.report.write.write_report", lambda folder: (folder / "report.html").touch())
    play = lambda link: monkeypatch.setattr(follow, "control", link.control)  # noqa: E731
    return Command(tmp_path, load_server_config(tmp_path / "server.toml"), play)


def pauses(command: Command) -> list[str]:
    return [sentence for sentence in command.said if "broke off" in sentence]


def test_a_run_is_submitted_once_and_each_round_and_note_shown_once(command: Command) -> None:
    def life() -> Life:
        command.write("status.json", message="waiting for sites: 0 of at least 2")
        yield ("pending", "", "")
        yield ("starting", "", "")
        command.round(1)
        command.round(2)
        yield RUNNING
        yield RUNNING
        command.round(3)
        command.end()
        yield COMPLETED

    link = SuperLink(life())
    assert command.run(link) == {"rounds": 3}
    assert (link.submitted, link.bundles) == ([str(command.files.folder)], [b"the application"])
    assert [record.round for record in command.shown] == [1, 2, 3]
    assert command.said == ["submitted; waiting for sites", "waiting for sites: 0 of at least 2", "writing the report"]
    assert json.loads((command.files.folder / "flower-run.json").read_text()) == {"run-id": "41"}
    assert json.loads(command.files.config.read_text())["sample-shape"] == [4]
    assert (command.files.folder / "report.html").exists()
    assert link.stopped == []


def test_a_round_that_was_done_again_is_shown_again(command: Command) -> None:
    def life() -> Life:
        command.round(1, phase="warm-up")
        yield RUNNING
        command.round(1, phase="closing")
        yield RUNNING
        command.end()
        yield COMPLETED

    command.run(SuperLink(life()))
    assert [(record.round, record.phase) for record in command.shown] == [(1, "warm-up"), (1, "closing")]


def test_a_run_that_breaks_off_is_submitted_again_with_growing_pauses(command: Command, clock: SimpleNamespace) -> None:
    def life() -> Life:
        command.round(1)
        yield RUNNING
        yield failed("out of memory")

    link = SuperLink(life(), iter([failed("")]), command.whole())
    command.run(link)
    assert len(link.submitted) == 3
    assert pauses(command) == [
        "the run broke off (out of memory); going on from its checkpoint in 1 s",
        "the run broke off (failed); going on from its checkpoint in 2 s",
    ]
    assert clock.slept.count(2.0) == 1
    assert [record.round for record in command.shown] == [1]


def test_only_submissions_without_a_new_round_use_up_the_tries(command: Command) -> None:
    def with_a_round(number: int) -> Life:
        command.round(number)
        yield failed("gone")

    def without() -> Life:
        yield failed("no luck")

    link = SuperLink(without(), with_a_round(1), without(), with_a_round(2), without(), without())
    with pytest.raises(RunFailedError, match=r"broke off 3 times without a new round \(no luck\); see .*server\.log"):
        command.run(link, tries=3)
    assert len(link.submitted) == 6
    assert not (command.files.folder / "report.html").exists()


def test_a_run_that_completes_without_a_result_is_no_success(command: Command) -> None:
    link = SuperLink(iter([COMPLETED]))
    with pytest.raises(RunFailedError, match="broke off 1 times"):
        command.run(link, tries=1)


@pytest.mark.parametrize(("kind", "error"), [("input", InputError), ("run", RunFailedError)])
def test_what_the_round_loop_gave_up_on_is_not_tried_again(command: Command, kind: str, error: type[Exception]) -> None:
    def life() -> Life:
        yield RUNNING
        command.write("failed.json", kind=kind, message="round 2: 0 sites answered.")
        yield failed("exit code 1")

    link = SuperLink(life())
    with pytest.raises(error, match=r"^round 2: 0 sites answered\.$"):
        command.run(link)
    assert len(link.submitted) == 1


def test_what_an_earlier_command_left_in_the_folder_is_not_taken_for_this_runs(command: Command) -> None:
    def broken() -> Life:
        command.write("failed.json", kind="run", message="too few sites")
        command.write("status.json", message="waiting")
        yield failed("")

    with pytest.raises(RunFailedError, match="too few sites"):
        command.run(SuperLink(broken()))
    command.said.clear()
    command.run(SuperLink(command.whole()))
    assert command.said == ["submitted; waiting for sites", "writing the report"]


def test_a_run_that_is_still_going_on_is_followed_and_not_submitted(command: Command) -> None:
    def life() -> Life:
        yield RUNNING
        command.round(1)
        yield RUNNING
        command.end()
        yield COMPLETED

    link = SuperLink()
    link.adopt(7, life())
    command.was_begun('{"run-id": "7"}')
    command.run(link)
    assert link.submitted == []
    assert command.said == ["following the run that is already going on", "writing the report"]
    assert [record.round for record in command.shown] == [1]


@pytest.mark.parametrize("left", ['{"run-id": "7"}', '{"run-id": "8"}', '{"run-id": "x"}', "{}", "[7]", "half a li"])
def test_a_run_that_is_over_unknown_or_unreadable_is_submitted_anew(command: Command, left: str) -> None:
    link = SuperLink(command.whole())
    link.adopt(7, iter([failed("")]))
    command.was_begun(left)
    command.run(link)
    assert len(link.submitted) == 1
    assert not any("following" in sentence for sentence in command.said)


def test_without_a_server_the_command_ends_at_once(command: Command, clock: SimpleNamespace) -> None:
    link = SuperLink()
    link.away = float("inf")
    with pytest.raises(NoServerError):
        command.run(link)
    assert clock.slept == []


def test_a_server_that_was_well_a_moment_ago_is_waited_for(command: Command, clock: SimpleNamespace) -> None:
    link = SuperLink(command.whole())
    link.away = 5
    liveness.touch(command.server.state)
    command.run(link)
    assert command.said[:2] == ["the server does not answer; waiting for it", "submitted; waiting for sites"]
    assert clock.slept[:4] == [follow.POLL] * 4


def test_a_server_that_stays_away_is_not_waited_for_for_ever(command: Command, clock: SimpleNamespace) -> None:
    link = SuperLink()
    link.away = float("inf")
    liveness.touch(command.server.state)
    with pytest.raises(NoServerError):
        command.run(link)
    assert follow.PATIENCE < sum(clock.slept) < follow.PATIENCE + 5


def test_a_server_that_is_away_for_a_while_interrupts_nothing(command: Command) -> None:
    def life() -> Life:
        yield RUNNING
        link.away = follow.PATIENCE - 5  # a look a second
        yield RUNNING
        link.away = follow.PATIENCE - 5
        yield RUNNING
        command.end()
        yield COMPLETED

    link = SuperLink(life())
    command.run(link)
    assert len(link.submitted) == 1
    assert pauses(command) == []


def test_a_server_that_is_away_too_long_is_a_failed_try_and_is_waited_for_again(command: Command) -> None:
    def life() -> Life:
        yield RUNNING
        link.away = follow.PATIENCE + 10
        yield RUNNING

    link = SuperLink(life(), command.whole())
    command.run(link)
    assert len(link.submitted) == 2
    assert pauses(command) == ["the run broke off (no server answers); going on from its checkpoint in 1 s"]


def test_a_run_that_the_server_has_lost_is_submitted_again(command: Command) -> None:
    def life() -> Life:
        yield RUNNING
        del link.runs[41]
        yield RUNNING

    link = SuperLink(life(), command.whole())
    command.run(link)
    assert len(link.submitted) == 2
    assert "does not know the run any more" in pauses(command)[0]


def test_a_server_app_that_dies_without_a_word_is_stopped_and_submitted_again(
    command: Command, clock: SimpleNamespace
) -> None:
    """The SuperLink still says 'running' then; the lock on the folder tells."""

    def life() -> Life:
        yield RUNNING
        with hold_lock(command.files.folder / ".run.lock"):
            yield RUNNING
            yield RUNNING
        died.append(clock.now)
        yield RUNNING

    def next_life() -> Life:
        assert follow.GONE < clock.now - died[0] < follow.GONE + 5
        yield from command.whole()

    died: list[float] = []
    link = SuperLink(life(), next_life())
    command.run(link)
    assert (link.stopped, len(link.submitted)) == ([41], 2)
    assert pauses(command) == ["the run broke off (the ServerApp died); going on from its checkpoint in 1 s"]


def test_a_server_app_that_takes_its_time_or_has_ended_is_not_taken_for_dead(command: Command) -> None:
    def life() -> Life:
        yield from [RUNNING] * 20  # it has not begun to work yet
        with hold_lock(command.files.folder / ".run.lock"):
            yield RUNNING
            command.end()
        yield from [RUNNING] * 20  # the SuperLink is slow to notice that it is done
        yield COMPLETED

    link = SuperLink(life())
    command.run(link)
    assert (link.stopped, len(link.submitted)) == ([], 1)


def test_an_interrupt_stops_the_run(command: Command) -> None:
    def life() -> Life:
        yield RUNNING
        raise KeyboardInterrupt

    link = SuperLink(life())
    with pytest.raises(RunFailedError, match="stopped; repeat the command to go on from the checkpoint"):
        command.run(link)
    assert link.stopped == [41]


def test_two_commands_cannot_follow_one_folder(command: Command) -> None:
    link = SuperLink(command.whole())
    with (
        hold_lock(command.files.folder / ".follow.lock"),
        pytest.raises(InputError, match=r"another 'fedlpa run' works on .*choose another --out"),
    ):
        command.run(link)
    assert link.submitted == []
