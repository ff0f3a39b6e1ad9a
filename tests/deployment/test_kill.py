"""Kill -9 at random moments: the run ends by itself, each round is there once, and the result is what it would be."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from federation import Federation, rounds_of

SITES = ("site-0", "site-1", "site-2")
VICTIMS = ("ClientApp", "SuperNode", "ServerApp", "SuperLink")


@pytest.fixture
def federation(tmp_path: Path, code: Path, small: Path) -> Iterator[Federation]:
    made = Federation(
        tmp_path,
        code,
        SITES,
        ("rounds=10", "min-clients=2", "round-timeout=240", "grace-period=120", "quorum-timeout=300"),
    )
    made.init(small)
    try:
        made.start_all()
        yield made
    finally:
        made.stop()


def victim(federation: Federation, kind: str, site: str) -> psutil.Process | None:
    if kind == "SuperLink":
        return federation.process("server", "flower-superlink")
    if kind == "ServerApp":
        return federation.process("server", "flwr-serverapp")
    return federation.process(site, "flower-supernode" if kind == "SuperNode" else "fedlpa.sites.worker")


def kill_during(federation: Federation, out: Path, kinds: list[str], seed: int, seconds: float) -> list[str]:
    """Run, and kill one process of each kind in ``kinds``, spread at random over the run."""
    rng = random.Random(seed)
    done: list[str] = []
    federation.start("run", "run", "--config", str(federation.home / "run.toml"), "--out", str(out), "--tries", "30")
    run = federation.running["run"]
    end = time.monotonic() + seconds
    after = 1
    while run.poll() is None:
        assert time.monotonic() < end, federation.told("run")
        if kinds and len(rounds_of(out)) >= after:
            time.sleep(rng.uniform(0, 4))
            target = victim(federation, kinds[0], rng.choice(federation.sites))
            if target is not None and run.poll() is None:
                done.append(f"{kinds.pop(0)} after round {len(rounds_of(out))}")
                target.kill()
                after = min(9, len(rounds_of(out)) + rng.choice((0, 1, 1, 2)))
                time.sleep(rng.uniform(2, 8))
        time.sleep(0.3)
    assert run.returncode == 0, (done, federation.told("run"), federation.told("server"))
    return done


def check(federation: Federation, out: Path, rounds: int = 10) -> None:
    records = rounds_of(out)
    assert [record["round"] for record in records] == list(range(1, rounds + 1))
    assert json.loads((out / "metrics.json").read_text())["rounds"] == rounds
    for site in federation.sites:
        told = federation.command("site", "audit", "--config", str(federation.site(site) / "site.toml"))
        assert told.returncode == 0, told.stderr


def test_one_kill_of_each(federation: Federation, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = kill_during(federation, out, ["ServerApp", "SuperLink", "ClientApp", "SuperNode"], seed=1, seconds=560)
    assert len(done) == 4, done
    check(federation, out)
    shown = federation.told("run")
    for number in range(1, 11):
        assert shown.count(f"round {number}/10") <= 2


@pytest.mark.slow
def test_twenty_kills(federation: Federation, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rng = random.Random(7)
    kinds = [*VICTIMS] * 5
    rng.shuffle(kinds)
    done = kill_during(federation, out, kinds, seed=7, seconds=3600)
    check(federation, out)
    assert len(done) >= 10, done
