"""Three hosts with a link each to the server: links that are cut and mended, links that lose packets."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from federation import Federation, rounds_of, wait_for
from hosts import SERVER, Hosts, why_not

SITES = ("site-0", "site-1", "site-2")
Apart = tuple[Federation, Hosts]
Make = Callable[..., Apart]


@pytest.fixture
def apart(tmp_path: Path, code: Path, small: Path) -> Iterator[Make]:
    """Makes a federation whose server and sites are hosts of their own."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    made: list[Apart] = []

    def make(rounds: int, loss: float = 0.0) -> Apart:
        hosts = Hosts(SITES, loss)
        federation = Federation(
            tmp_path,
            code,
            SITES,
            (f"rounds={rounds}", "min-clients=2", "round-timeout=240", "grace-period=100", "quorum-timeout=300"),
            host=SERVER,
            at=hosts.at,
        )
        made.append((federation, hosts))
        federation.init(small)
        federation.start_all()
        return federation, hosts

    yield make
    for federation, hosts in made:
        federation.stop()
        hosts.remove()


RECEIVE = """
import socket
listener = socket.socket(type=socket.SOCK_DGRAM)
listener.bind(("0.0.0.0", 9))
listener.settimeout(20)
print("ready", flush=True)
got = 0
while listener.recv(100) != b"end":
    got += 1
    listener.settimeout(3)
print(got)
"""
SEND = """
import socket, sys, time
sender = socket.socket(type=socket.SOCK_DGRAM)
for number in range(2000):
    sender.sendto(b"%d" % number, (sys.argv[1], 9))
    time.sleep(0.0005)
for _ in range(10):
    sender.sendto(b"end", (sys.argv[1], 9))
"""


def share_lost(hosts: Hosts, site: str) -> float:
    """The share of 2000 datagrams that a site sends to the server and that do not arrive."""
    receive = [*hosts.at("server"), sys.executable, "-c", RECEIVE]
    with subprocess.Popen(receive, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        subprocess.run([*hosts.at(site), sys.executable, "-c", SEND, SERVER], check=True)
        return 1 - int(receiver.stdout.readline()) / 2000


def start_run(federation: Federation, out: Path) -> None:
    federation.start("run", "run", "--config", str(federation.home / "run.toml"), "--out", str(out))


def end_of_run(federation: Federation, out: Path, count: int) -> list[dict[str, Any]]:
    """The rounds, once the run has ended well: each is there once."""
    run = federation.running["run"]
    wait_for(lambda: run.poll() is not None, 420, "the run to end")
    assert run.returncode == 0, federation.told("run") + federation.told("server")
    rounds = rounds_of(out)
    assert [record["round"] for record in rounds] == list(range(1, count + 1))
    return rounds


def cut_during_a_round(apart: Make, out: Path, seconds: float, count: int) -> None:
    """Cut a link in the second round; the run must feel it, end well, and have the site back after it was mended."""
    federation, hosts = apart(count)
    start_run(federation, out)
    wait_for(lambda: rounds_of(out), 240, "the first round")
    time.sleep(1)
    cut_in = len(rounds_of(out)) + 1
    hosts.cut("site-0")
    time.sleep(seconds)
    done = len(rounds_of(out))
    assert done < count, "the cut was over after the run"
    hosts.mend("site-0")
    mended = time.monotonic()
    wait_for(
        lambda: any(record["clients"]["answered"] == len(SITES) for record in rounds_of(out)[max(done, cut_in - 1) :]),
        240,
        f"the site to come back: {federation.told('run')}",
    )
    print(f"cut in round {cut_in} for {seconds:g} s, {done} rounds done by then")
    print(f"{time.monotonic() - mended:.0f} s after it was mended a round with all sites was done")
    rounds = end_of_run(federation, out, count)
    failed = {entry["site"] for record in rounds for entry in record["clients"]["failed"]}
    assert rounds[cut_in - 1]["seconds"]["round"] > seconds / 2 or failed == {"site-0"}, "the cut was not felt"


def test_a_link_cut_during_a_round(apart: Make, tmp_path: Path) -> None:
    cut_during_a_round(apart, tmp_path / "out", 25, 4)


@pytest.mark.slow
def test_a_link_cut_for_a_minute(apart: Make, tmp_path: Path) -> None:
    cut_during_a_round(apart, tmp_path / "out", 60, 27)


@pytest.mark.slow
def test_links_that_lose_packets(apart: Make, tmp_path: Path) -> None:
    federation, hosts = apart(5, loss=0.02)
    assert 0.005 < share_lost(hosts, SITES[0]) < 0.05
    start_run(federation, tmp_path / "out")
    rounds = end_of_run(federation, tmp_path / "out", 5)
    assert all(record["clients"]["answered"] == len(SITES) for record in rounds)
