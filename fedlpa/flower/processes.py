"""Flower's long-running programs as child processes that die with us, with their output in a log file."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

MOST_LOG_BYTES = 20 * 2**20


def start(module: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``python -m module <our process id> arguments``; its output is appended to ``log``.

    The current folder is kept off the module path: only installed code runs. The child is in a process group of its
    own: Ctrl-C reaches us alone, and we end the children in their order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > MOST_LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
    with open(log, "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            env={**os.environ, **environment},
        )


def become(program: str) -> None:
    """Stand for one of Flower's programs: its arguments follow the id of the parent process, with which it ends."""
    from flwr.supercore.app_utils import start_parent_process_monitor

    start_parent_process_monitor(int(sys.argv[1]))
    sys.argv = [program, *sys.argv[2:]]


def flower_environment(home: Path) -> dict[str, str]:
    """No telemetry, no update check, no installation of packages at run time; Flower's files below ``home``."""
    scripts = str(Path(sys.executable).parent)
    return {
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_HOME": str(home),
        "PATH": scripts + os.pathsep + os.environ.get("PATH", ""),
    }


def stop(child: "subprocess.Popen[bytes] | None", patience: float = 10.0) -> None:
    """Ask a child to end, and end it if it does not within ``patience`` seconds."""
    if child is None or child.poll() is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def last_words(log: Path, status: int = 0, lines: int = 1) -> str:
    """Why a child ended with ``status``, on one line: the signal that killed it, or the last errors in its log."""
    if status < 0:
        return f"killed by signal {-status}"
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return "no log"
    told = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in told if "rror" in line or "code:" in line or "Code:" in line]
    return " | ".join(line[:300] for line in (errors or told)[-lines:]) or "no output"


def free_port() -> int:
    """A TCP port of the loopback interface that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
