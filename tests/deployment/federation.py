"""A federation of real processes for tests: a server and sites started from a copy of the code, ended by their ids."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
MISBEHAVIOUR = Path(__file__).parent / "misbehaviour"
PACKAGES = ("client_app", "common", "fedlpa", "server_app")


def copy_code(folder: Path) -> Path:
    """The application as it is now; edits that are made meanwhile do not reach it."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def free_ports(count: int) -> list[int]:
    """Ports that were free just now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_for(what: Callable[[], Any], seconds: float, why: str) -> Any:
    """Wait until ``what()`` is true and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds:g} s for: {why}"
        time.sleep(0.2)
    return found


class Federation:
    """Folder, code and processes of one federation on this machine."""

    def __init__(
        self,
        folder: Path,
        code: Path,
        sites: Iterable[str],
        settings: Iterable[str] = (),
        *,
        host: str = "localhost",
        at: Callable[[str], list[str]] = lambda name: [],
    ) -> None:
        """``host``: where sites reach the server; ``at``: what to write before commands of ``server``, or of a site."""
        self.host, self.at = host, at
        self.folder, self.code, self.sites = folder, code, tuple(sites)
        self.home = folder / "fl"
        self.port, self.control_port = free_ports(2)
        self.settings = tuple(settings)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def init(self, data: Path) -> None:
        """``federation init`` on data files ``<site>.parquet``, which become the sites' data."""
        like = [part for site in self.sites for part in ("--data-like", str(data / f"{site}.parquet"))]
        told = self.command(
            "federation", "init", str(self.home), "--host", self.host, "--sites", ",".join(self.sites),
            "--port", str(self.port), "--control-port", str(self.control_port), *like,
            *(part for setting in self.settings for part in ("--set", setting)),
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        for site in self.sites:
            shutil.copyfile(data / f"{site}.parquet", self.site(site) / "data.parquet")

    def site(self, name: str) -> Path:
        """The folder of a site."""
        return self.home / "sites" / name

    def state(self, name: str) -> Path:
        """The state folder of a site."""
        return self.site(name) / "state"

    def arguments(
        self, place: str, *arguments: str, code: Path | None = None, misbehave: str = ""
    ) -> tuple[list[str], dict[str, str]]:
        """A ``fedlpa`` command at ``server`` or a site, and its environment."""
        environment = {**os.environ, "PYTHONPATH": str(code or self.code), "OMP_NUM_THREADS": "1"}
        if misbehave:
            environment["MISBEHAVE"] = misbehave
            environment["PYTHONPATH"] += os.pathsep + str(MISBEHAVIOUR)
        return [*self.at(place), sys.executable, "-P", "-m", "fedlpa", *arguments], environment

    def command(self, *arguments: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a command on the server's machine to its end."""
        command, environment = self.arguments("server", *arguments)
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=seconds, check=False
        )

    def start(
        self, name: str, *arguments: str, code: Path | None = None, misbehave: str = ""
    ) -> "subprocess.Popen[bytes]":
        """Start a command that goes on; its output is in ``<name>.out``."""
        place = name if name in self.sites else "server"
        command, environment = self.arguments(place, *arguments, code=code, misbehave=misbehave)
        with open(self.folder / f"{name}.out", "ab") as output:
            self.running[name] = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT
            )
        return self.running[name]

    def told(self, name: str) -> str:
        """What a started command has printed."""
        return (self.folder / f"{name}.out").read_text(errors="replace")

    def start_server(self) -> None:
        """Start the server and wait until it takes sites."""
        self.start("server", "server", "start", "--config", str(self.home / "server" / "server.toml"))
        wait_for(lambda: "ready:" in self.told("server"), 60, "the server to be ready")

    def start_site(self, name: str, code: Path | None = None, misbehave: str = "") -> None:
        """Start a site; ``misbehave`` is what ``misbehaviour/sitecustomize.py`` knows."""
        config = str(self.site(name) / "site.toml")
        self.start(name, "site", "start", "--config", config, code=code, misbehave=misbehave)

    def start_all(self) -> None:
        """Start the server and all sites."""
        self.start_server()
        for name in self.sites:
            self.start_site(name)

    def run(self, out: Path, *arguments: str, seconds: float = 600) -> "subprocess.CompletedProcess[str]":
        """``fedlpa run`` to its end."""
        return self.command(
            "run", "--config", str(self.home / "run.toml"), "--out", str(out), *arguments, seconds=seconds
        )

    def process(self, name: str, *words: str) -> psutil.Process | None:
        """The process below a started command whose command line holds all ``words``."""
        try:
            children = psutil.Process(self.running[name].pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        for child in children:
            try:
                line = " ".join(child.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                return child
        return None

    def stop(self) -> None:
        """End everything that was started."""
        for child in self.running.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.running.values():
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.running.clear()


def rounds_of(run: Path) -> list[dict[str, Any]]:
    """The lines of ``rounds.jsonl``."""
    path = run / "rounds.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
