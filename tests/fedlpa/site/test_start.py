"""``fedlpa site start`` with children that are played: what is started again after which pause, and what ends it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from client_app.site_config import SiteConfig
from common.errors import InputError, RunFailedError
from common.locks import hold_lock
from fedlpa.flower import supervisor
from fedlpa.flower.worker import RENEW
from fedlpa.liveness import FILE
from fedlpa.site import contact, start
from fedlpa.site.connection import Finding

NODE, WORKER = "fedlpa.flower.supernode", "fedlpa.flower.worker"
END = 1e6
"""Seconds after which a test that nothing else ends is ended by a signal."""


class World:
    """Time that passes in sleep alone, children with given lives, and what happens at which second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[tuple[float, str]] = []
        self.events: list[tuple[float, str, str]] = []
        self.lives: dict[str, list[tuple[float, int]]] = {NODE: [], WORKER: []}
        self.children: dict[str, Child] = {}
        self.agenda: list[tuple[float, Callable[[], object]]] = []
        self.findings: list[Finding] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for entry in [entry for entry in self.agenda if entry[0] <= self.now]:
            self.agenda.remove(entry)
            entry[1]()
        if self.now > END:
            self.signal()

    def signal(self) -> None:
        signal.raise_signal(signal.SIGTERM)

    def signal_from_elsewhere(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def say(self, sentence: str) -> None:
        self.said.append((round(self.now, 1), sentence))

    def check_connection(self, config: SiteConfig) -> list[Finding]:
        found = self.findings.pop(0) if self.findings else Finding("key", True, "the server knows this site's key")
        return [Finding("address", True, "fl.example.org is 192.0.2.1"), found]

    def starts(self, module: str) -> list[float]:
        return [at for at, name, what in self.events if (name, what) == (module, "start")]

    @property
    def words(self) -> list[str]:
        return [sentence for _, sentence in self.said]


class Child:
    """Lives for as long as the world says, by default for ever, and ends with a status."""

    world: World

    def __init__(self, module: str, log: Path, environment: Mapping[str, str]) -> None:
        self.module, self.log, self.environment = module, log, environment
        self.given: list[list[str]] = []
        self.secrets: list[bytes] = []
        self.born: float | None = None
        self.life, self.end = float("inf"), 0
        self.world.children[module] = self

    @property
    def started(self) -> bool:
        return self.born is not None

    @property
    def runs(self) -> bool:
        return self.born is not None and self.world.now < self.born + self.life

    @property
    def status(self) -> int | None:
        return self.end if self.started and not self.runs else None

    def start(self, arguments: list[str]) -> None:
        lives = self.world.lives[self.module]
        self.life, self.end = lives.pop(0) if lives else (float("inf"), 0)
        self.born = self.world.now
        self.given.append(arguments)
        self.secrets.append((self.log.parent / "runtime.secret").read_bytes())
        self.world.events.append((self.world.now, self.module, "start"))

    def stop(self, patience: float = 10.0) -> None:
        if self.started:
            self.world.events.append((self.world.now, self.module, "stop"))
        self.born = None

    def last_words(self) -> str:
        return f"ended with {self.status}"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(Child, "world", made, raising=False)
    monkeypatch.setattr(start, "Child", Child)
    monkeypatch.setattr(start, "check_connection", made.check_connection)
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=made.monotonic, sleep=made.sleep))
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield made
    for number, handler in kept.items():
        signal.signal(number, handler)


def run(world: World, config: SiteConfig, seconds: float) -> None:
    """Start the site; a signal comes after so many seconds."""
    world.agenda.append((seconds, world.signal))
    start.run_site(config, world.say)


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_the_supernode_and_the_worker_are_started_and_ended_together(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    config = make_site()
    config.state.mkdir()
    (config.state / FILE).touch()  # of an earlier start: it says nothing about this one
    run(world, config, 5)
    assert [(name, what) for _, name, what in world.events] == [
        (NODE, "start"), (WORKER, "start"), (WORKER, "stop"), (NODE, "stop"),
    ]  # fmt: skip
    assert world.words == ["started; connecting to fl.example.org:9092", "stopped"]
    node, worker = world.children[NODE], world.children[WORKER]
    assert option(node.given[0], "--superlink") == "fl.example.org:9092"
    secret = config.state / "runtime.secret"
    assert option(node.given[0], "--superexec-auth-secret-file") == str(secret)
    assert worker.given == [[str(config.source), f"127.0.0.1:{option(node.given[0], '--port')}", str(secret)]]
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_bytes()) == 32
    assert node.log == worker.log == config.state / "flower.log"
    assert node.environment["FLWR_HOME"] == str(config.state / "flower")


def test_a_supernode_that_falls_is_started_again_with_its_worker_after_growing_pauses(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    world.lives[NODE] = [(0.2, 1)] * 7
    run(world, make_site(), 200)
    starts = world.starts(NODE)
    assert len(starts) == len(world.starts(WORKER)) == 8
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses == [pytest.approx(pause + 0.5, abs=0.3) for pause in (1, 2, 4, 8, 16, 30, 30)]
    told = [words for words in world.words if "ended" in words]
    assert told[:2] == [f"the SuperNode ended (ended with 1); starting it again in {s} s" for s in (1, 2)]
    order = [(name, what) for _, name, what in world.events[:6]]
    assert order == [
        (NODE, "start"), (WORKER, "start"), (WORKER, "stop"), (NODE, "stop"), (NODE, "start"), (WORKER, "start"),
    ]  # fmt: skip
    node, worker = world.children[NODE], world.children[WORKER]
    assert len(set(node.secrets)) == 8  # a new one each time, known to both
    assert worker.secrets == node.secrets
    assert [f"127.0.0.1:{option(given, '--port')}" for given in node.given] == [given[1] for given in worker.given]


def test_after_a_calm_the_pauses_start_anew(world: World, make_site: Callable[..., SiteConfig]) -> None:
    world.lives[NODE] = [(0.2, 1), (0.2, 1), (400.0, 1)]
    run(world, make_site(), 450)
    told = [words for words in world.words if "ended" in words]
    assert [words.rpartition(" in ")[2] for words in told] == ["1 s", "2 s", "1 s"]


def test_a_worker_that_falls_is_started_again_beside_the_same_supernode(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    world.lives[WORKER] = [(0.2, 1), (0.2, -9)]
    run(world, make_site(), 30)
    assert len(world.starts(NODE)) == 1
    assert len(world.starts(WORKER)) == 3
    assert world.words[1:-1] == [
        "the working process ended with 1; starting it again in 1 s",
        "the working process ended with -9; starting it again in 2 s",
    ]
    assert len(set(map(tuple, world.children[WORKER].given))) == 1


def test_a_worker_that_asks_for_new_code_is_started_at_once_without_a_word(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    world.lives[WORKER] = [(3.0, RENEW)] * 4
    run(world, make_site(), 30)
    starts = world.starts(WORKER)
    assert len(starts) == 5
    assert max(later - earlier for earlier, later in pairwise(starts)) < 4
    assert len(world.words) == 2


def test_a_server_that_cannot_be_reached_is_tried_again_and_each_cause_is_told_once(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    closed = Finding("port", False, "port 9092 of fl.example.org is closed", passing=True)
    silent = Finding("port", False, "fl.example.org does not answer on port 9092", passing=True)
    world.findings = [closed, closed, silent, closed]
    run(world, make_site(), 60)
    assert world.words[:4] == [
        "port 9092 of fl.example.org is closed; trying again",
        "fl.example.org does not answer on port 9092; trying again",
        "port 9092 of fl.example.org is closed; trying again",
        "started; connecting to fl.example.org:9092",
    ]
    assert world.starts(NODE) == [pytest.approx(1 + 2 + 4 + 8 + 4 * 0.5, abs=1.0)]


def test_what_waiting_cannot_mend_ends_the_command_and_both_children(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    world.lives[NODE] = [(0.2, 1)]
    world.findings = [Finding("key", True, ""), Finding("key", False, "the server does not know this site's key")]
    with pytest.raises(RunFailedError, match=r"^the server does not know this site's key\.$"):
        start.run_site(make_site(), world.say)
    assert not any(child.started for child in world.children.values())
    assert len(world.starts(NODE)) == 1
    assert "stopped" not in world.words


def test_a_signal_within_a_pause_starts_nothing_more(world: World, make_site: Callable[..., SiteConfig]) -> None:
    world.lives[NODE] = [(0.2, 1)] * 9
    run(world, make_site(), 3.0)  # in the second pause, which lasts from 2.2 to 4.2 s
    assert len(world.starts(NODE)) == 2
    assert world.now < 3.5
    assert not any(child.started for child in world.children.values())


def test_it_is_told_once_when_the_server_is_heard_and_when_it_falls_silent(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    config = make_site()
    alive = config.state / FILE
    world.agenda = [(2.0, alive.touch), (5.0, alive.unlink), (9.0, alive.touch)]
    run(world, config, 12)
    heard, silent = "connected to fl.example.org:9092", contact.SILENT.format("fl.example.org:9092")
    assert world.words[1:-1] == [heard, silent, heard]
    assert [at for at, _ in world.said[1:-1]] == [pytest.approx(at, abs=0.7) for at in (2, 5, 9)]


def finding(told: str, *, passing: bool = False) -> Finding:
    return Finding("tls", False, told, passing)


def test_the_cause_of_a_silence_is_told_once_per_change(
    world: World, make_site: Callable[..., SiteConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not heard from the third second on; the cause is looked for again and again, and the third one is another."""
    result = contact.Search.result
    monkeypatch.setattr(contact.Search, "result", lambda search, patience=0.0: result(search, 60))  # a real thread
    config = make_site()
    alive = config.state / FILE
    fine = Finding("key", True, "")
    causes = [
        finding("the server's certificate is not signed by ca.crt"),
        finding("the server's certificate is not signed by ca.crt"),
        finding("port 9092 of fl.example.org is closed", passing=True),
        fine,
        fine,
    ]
    world.agenda = [
        (2.0, alive.touch),
        (3.0, lambda: (alive.unlink(), world.findings.extend(causes))),
        (200.0, alive.touch),
    ]
    run(world, config, 210)
    assert world.words == [
        "started; connecting to fl.example.org:9092",
        "connected to fl.example.org:9092",
        contact.SILENT.format("fl.example.org:9092"),
        "the server's certificate is not signed by ca.crt; trying all the same",
        "port 9092 of fl.example.org is closed; trying again",
        f"{contact.FINE}; trying again",
        "connected to fl.example.org:9092",
        "stopped",
    ]
    told = {words: at for at, words in world.said}
    assert told["port 9092 of fl.example.org is closed; trying again"] == pytest.approx(3 + 60, abs=3)
    assert not world.findings


def test_a_supernode_that_is_never_heard_is_silent_too(world: World, make_site: Callable[..., SiteConfig]) -> None:
    config = make_site()
    world.agenda = [(1.0, lambda: world.findings.append(finding("this machine's clock is about 8 minutes ahead")))]
    run(world, config, 100)
    assert world.words[1:-1] == [
        contact.SILENT.format("fl.example.org:9092"),
        "this machine's clock is about 8 minutes ahead; trying all the same",
    ]


def test_once_heard_a_cause_that_waiting_does_not_mend_is_told_and_waited_for(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    """The server's operator may renew a certificate, or let the site in again: nobody has to start it anew."""
    config = make_site()
    alive = config.state / FILE
    world.lives[NODE] = [(10.0, 1)]
    world.agenda = [
        (2.0, alive.touch),
        (9.0, lambda: world.findings.extend([finding("the server does not know this site's key")] * 3)),
        (60.0, alive.touch),
    ]
    run(world, config, 70)
    assert [words for words in world.words if "SuperNode ended" not in words] == [
        "started; connecting to fl.example.org:9092",
        "connected to fl.example.org:9092",
        "the server does not know this site's key; trying all the same",
        "started; connecting to fl.example.org:9092",
        "connected to fl.example.org:9092",
        "stopped",
    ]


def test_what_a_supernode_heard_that_has_ended_is_no_sign_of_the_next(
    world: World, make_site: Callable[..., SiteConfig]
) -> None:
    config = make_site()
    alive = config.state / FILE
    world.lives[NODE] = [(5.0, 1)]
    there: list[bool] = []
    world.agenda = [(2.0, alive.touch), (5.9, lambda: there.append(alive.exists()))]
    run(world, config, 20)
    assert there == [False]
    assert world.words.count("connected to fl.example.org:9092") == 1


def test_a_server_that_hangs_does_not_keep_a_signal_waiting(
    world: World, make_site: Callable[..., SiteConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(config: SiteConfig) -> list[Finding]:
        threading.Timer(0.3, world.signal_from_elsewhere).start()
        released.wait(60)
        return [Finding("key", True, "")]

    monkeypatch.setattr(start, "check_connection", hang)
    start.run_site(make_site(), world.say)
    assert not released.is_set()
    released.set()
    assert world.words == ["stopped"]
    assert world.events == []


@pytest.mark.parametrize("approved", ["", "0" * 64])
def test_another_application_than_the_approved_one_starts_nothing(
    world: World, make_site: Callable[..., SiteConfig], approved: str
) -> None:
    with pytest.raises(InputError, match=rf"is not the one approved in .*site\.toml, {approved or 'none'}; .*approve"):
        start.run_site(make_site(approved_app=approved), world.say)
    assert (world.events, world.said) == ([], [])


def test_files_that_will_not_do_get_one_sentence_and_start_nothing(
    world: World, make_site: Callable[..., SiteConfig], tmp_path: Path
) -> None:
    def told(pattern: str, **lines: str) -> None:
        with pytest.raises(InputError, match=pattern):
            start.run_site(make_site(**lines), world.say)

    (tmp_path / "a-file").touch()
    told(r"nothing\.csv does not exist; correct 'data' in .*site\.toml", data="nothing.csv")
    told(r"a-file cannot be written \(.*\); correct 'state'", state="a-file")
    told(r"no\.key cannot be read \(.*\); correct 'key' in .*\.$", key="no.key")
    (tmp_path / "site.key").chmod(0o640)
    told(r"site\.key can be read by others; run chmod 600 on it\.$")
    assert world.events == []


def test_a_site_is_started_once(world: World, make_site: Callable[..., SiteConfig]) -> None:
    config = make_site()
    config.state.mkdir()
    with hold_lock(config.state / "site.lock"), pytest.raises(InputError, match=r"runs already on .*stop it first"):
        start.run_site(config, world.say)
    assert world.events == []
