"""The images and ``compose.demo.yaml`` for real: built, healthy, a whole run in them, networks cut, restarts, secrets.

On any machine with Docker: ``pytest tests/deployment/test_containers.py``. Where images are built on another engine
than they run on, ``FEDLPA_IMAGES=given`` takes ``fedlpa-server`` and ``fedlpa-site`` as they are, and
``FEDLPA_BUILD_ARGS`` holds more words for ``docker build``.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from engine import ROOT, docker, files_of, host_side, inspect, search, why_not
from federation import Federation, wait_for

pytestmark = pytest.mark.slow

SITES = ("site-0", "site-1", "site-2")
IMAGES = ("fedlpa-server", "fedlpa-site")
PROJECT = "fedlpa-test"
ROUNDS = 8
SECRET = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]{64,}"  # with a body: libraries hold the bare header
    rb"|\bhf_[A-Za-z0-9]{34}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b|\bpypi-[A-Za-z0-9_-]{50,}"
)
PUBLISHED = re.compile(
    r"/site-packages/(?!client_app|common|fedlpa|server_app)[^/]+/(.+/)?(SelfTest|tests?|testing)/"
    r"|(^|/)usr/lib/[^/]+/lib[^/]+\.so[.0-9]*$"
)
"""Tests of libraries, as everybody downloads them (GnuTLS has its own compiled in): they hold keys made for them."""


@dataclass
class Demo:
    """``compose.demo.yaml`` on one federation, and what became of it."""

    federation: Federation
    environment: dict[str, str]
    told: str = ""
    status: int | None = None
    silent: str = "not tried"
    logs: list[str] = field(default_factory=list)

    def compose(self, *words: str, seconds: float = 300, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """``docker compose words``."""
        file = str(ROOT / "docker" / "compose.demo.yaml")
        before = ("compose", "--project-name", PROJECT, "--file", file)
        return docker(*before, *words, seconds=seconds, check=check, environment=self.environment)

    def up(self) -> None:
        """All four containers up and healthy."""
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "280")

    def down(self) -> None:
        """All containers and networks gone; volumes stay."""
        self.logs.append(self.compose("logs", "--no-color").stdout)
        self.compose("down")

    def start_run(self, out: str, *words: str) -> "subprocess.Popen[str]":
        """``fedlpa run`` in the server's container."""
        command = ["docker", "exec", container("server"), "fedlpa", "run"]
        return subprocess.Popen(
            [*command, "--config", "/federation/run.toml", "--out", out, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def container(service: str) -> str:
    return f"{PROJECT}-{service}-1"


def rounds_in(out: str) -> list[dict[str, Any]]:
    """The lines of a run's ``rounds.jsonl`` in the server's container."""
    told = docker("exec", container("server"), "cat", f"{out}/rounds.jsonl", check=False)
    return [json.loads(line) for line in told.stdout.splitlines()] if told.returncode == 0 else []


@pytest.fixture(scope="module")
def images() -> tuple[str, ...]:
    """Both images, built from this repository."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    if os.environ.get("FEDLPA_IMAGES") != "given":
        more = shlex.split(os.environ.get("FEDLPA_BUILD_ARGS", ""))
        for name in IMAGES:
            target = ("--file", str(ROOT / "docker" / "Dockerfile"), "--target", name.removeprefix("fedlpa-"))
            docker("build", *target, "--tag", name, *more, str(ROOT), seconds=1800)
    return IMAGES


@pytest.fixture(scope="module")
def demo(images: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, code: Path, small: Path) -> Iterator[Demo]:
    """A run with two cuts, from nothing to its end; the containers are still up."""
    federation = Federation(
        tmp_path_factory.mktemp("demo"),
        code,
        SITES,
        (f"rounds={ROUNDS}", "min-clients=2", "round-timeout=240", "grace-period=100", "quorum-timeout=300"),
        host="server",
    )
    federation.port, federation.control_port = 9092, 9091
    federation.init(small)
    user = owner(federation.home)
    made = Demo(federation, {"FEDERATION": str(federation.home), "FEDLPA_USER": user})
    made.compose("down", "--volumes", check=False)
    try:
        made.up()
        run_with_cuts(made)
        yield made
    finally:
        made.compose("down", "--volumes", check=False)


def owner(folder: Path) -> str:
    """The user that the containers run as, whom the keys belong to: never root."""
    if os.geteuid() != 0:
        return f"{os.geteuid()}:{os.getegid()}"
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 10001, 10001)
    return "10001:10001"


def run_with_cuts(demo: Demo) -> None:
    """A run; one site's network is taken away and given back, another's goes silent for a while."""
    run = demo.start_run("/runs/first")
    try:
        wait_for(lambda: rounds_in("/runs/first"), 240, "the first round")
        network = f"{PROJECT}_a"
        docker("network", "disconnect", network, container("site-0"))
        time.sleep(20)
        docker("network", "connect", "--alias", "site-0", network, container("site-0"))
        done = len(rounds_in("/runs/first"))
        wait_for(lambda: len(rounds_in("/runs/first")) > done, 240, "a round after the first cut")
        assert run.poll() is None, "the run was over before the second cut"
        silent_cut(demo, container("site-1"), 25)
        demo.told, _ = run.communicate(timeout=420)
        demo.status = run.returncode
    finally:
        run.kill()


def silent_cut(demo: Demo, name: str, seconds: float) -> None:
    found = host_side(name)
    if found is None:
        demo.silent = "the engine's network interfaces cannot be reached from here"
        return
    place, device = found
    subprocess.run(["ip", *place, "link", "set", device, "down"], check=True)
    try:
        time.sleep(seconds)
    finally:
        subprocess.run(["ip", *place, "link", "set", device, "up"], check=True)
    demo.silent = ""


def test_compose_files_are_valid(tmp_path: Path) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    given = {name: str(tmp_path) for name in ("FEDERATION", "SITE", "DATA")}
    for path in sorted((ROOT / "docker").glob("compose.*.yaml")):
        told = docker("compose", "--file", str(path), "config", "--quiet", environment=given)
        assert not told.stdout + told.stderr, path


def test_hadolint_has_nothing_to_say() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed")
    told = subprocess.run(
        ["hadolint", str(ROOT / "docker" / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout
    assert not told.stdout, told.stdout


def test_images_hold_no_root_and_no_tools(images: tuple[str, ...]) -> None:
    for name in images:
        found = inspect(name)
        print(f"{name}: {found['Size'] / 1e9:.2f} GB, {len(found['RootFS']['Layers'])} layers")
        assert found["Config"]["User"].split(":")[0] not in {"", "0", "root"}
        assert found["Config"]["Healthcheck"]
        for tool in ("pip", "gcc", "make", "git"):
            told = docker(
                "run",
                "--rm",
                "--network",
                "none",
                name,
                "sh",
                "-c",
                f"ls /opt/fedlpa/bin/{tool}; which {tool}",
                check=False,
            )
            allowed = "/usr/local/bin/pip" if tool == "pip" else ""  # of the base image
            assert told.stdout.strip() in {"", allowed}, told.stdout


def test_no_key_token_or_data_in_any_layer(images: tuple[str, ...], tmp_path: Path) -> None:
    read, bad = 0, []
    try:
        for name, content in files_of(images, tmp_path / "images.tar"):
            read += 1
            if "/site-packages/" not in f"/{name}" and Path(name).suffix in {".key", ".parquet", ".npz"}:
                bad.append(name)
            elif not PUBLISHED.search(name) and (found := search(content, SECRET)) is not None:
                bad.append(f"{name}: {found[:60]!r}")
    finally:
        (tmp_path / "images.tar").unlink(missing_ok=True)
    assert read > 10_000, "the layers were not read"
    assert not bad, "\n".join(bad)


def test_the_run_goes_on_through_cuts(demo: Demo) -> None:
    assert demo.status == 0, demo.told
    rounds = rounds_in("/runs/first")
    print(demo.told)
    assert [record["round"] for record in rounds] == list(range(1, ROUNDS + 1))
    assert rounds[-1]["clients"]["answered"] == len(SITES)


def test_the_second_cut_was_silent(demo: Demo) -> None:
    if demo.silent:
        pytest.skip(demo.silent)
    assert demo.status == 0, demo.told


def test_no_container_was_restarted_and_none_is_root(demo: Demo) -> None:
    for service in ("server", *SITES):
        found = inspect(container(service))
        assert found["RestartCount"] == 0, service
        assert found["State"]["Health"]["Status"] == "healthy", service
        assert docker("exec", container(service), "id", "-u").stdout.strip() != "0"
        assert docker("exec", container(service), "touch", "/opt/x", check=False).returncode != 0


def test_volumes_survive_down_and_up(demo: Demo) -> None:
    """A finished run is still finished, and one that was under way goes on."""
    run = demo.start_run("/runs/second", "--set", "rounds=4")
    wait_for(lambda: rounds_in("/runs/second"), 240, "a round of the second run")
    demo.down()
    run.communicate(timeout=60)
    demo.up()
    again = demo.start_run("/runs/first")
    told, _ = again.communicate(timeout=120)
    assert again.returncode == 2
    assert "finished run" in told
    kept = rounds_in("/runs/second")
    again = demo.start_run("/runs/second", "--set", "rounds=4")
    told, _ = again.communicate(timeout=420)
    assert again.returncode == 0, told
    rounds = rounds_in("/runs/second")
    assert rounds[: len(kept) - 1] == kept[: len(kept) - 1]
    assert [record["round"] for record in rounds] == [1, 2, 3, 4]
    for site in SITES:
        config = ("--config", "/federation/site/site.toml")
        told = docker("exec", container(site), "fedlpa", "site", "audit", *config).stdout
        count = re.search(r"(\d+) messages", told)
        assert count is not None, told
        assert int(count[1]) > ROUNDS


def test_no_secret_in_any_log(demo: Demo) -> None:
    logs = "".join([*demo.logs, demo.compose("logs", "--no-color").stdout, demo.told])
    for service in ("server", *SITES):
        logs += docker("exec", container(service), "sh", "-c", "cat /federation/*/state/*.log").stdout
        logs += json.dumps(inspect(container(service))["Config"])
    assert "ready: sites connect" in logs
    keys = [path.read_text() for path in demo.federation.home.rglob("*.key")]
    assert len(keys) == 2 + len(SITES)
    for line in (line for key in keys for line in key.splitlines() if len(line) > 40):
        assert line not in logs
    assert SECRET.search(logs.encode()) is None
