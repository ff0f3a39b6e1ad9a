"""``fedlpa server start``: a SuperLink that is kept alive, and a list of sites that follows the folder of keys."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from common.errors import InputError, RunFailedError
from fedlpa.federation.server_config import ServerConfig
from fedlpa.flower.control import NoServerError, control, nodes, read_public_key, register, unregister
from fedlpa.flower.processes import Backoff, flower_environment, last_words, start, stop
from fedlpa.liveness import FILE, touch

Say = Callable[[str], None]
LOG = "server.log"
LOOK_EVERY = 3.0
"""Seconds between two looks at the SuperLink and the folder of keys."""


def serve(config: ServerConfig, say: Say) -> None:
    """Run until a signal ends it. A SuperLink that dies is started again on its database.

    Raises:
        InputError: a file or a port of the configuration will not do.
    """
    check_server(config)
    stopping: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    for folder in (config.state, config.database.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    backoff = Backoff()
    child: subprocess.Popen[bytes] | None = None
    ready = False
    try:
        while not stopping:
            if child is None:
                child, ready = start_superlink(config), False
            elif child.poll() is not None:
                pause = backoff.next()
                told = last_words(config.state / LOG, child.returncode)
                say(f"the SuperLink ended ({told}); starting it again in {pause:g} s")
                _sleep(pause, stopping)
                child = None
                continue
            try:
                changes = follow_keys(config)
                touch(config.state)
                if not ready:
                    ready = True
                    say(f"ready: sites connect to port {config.port}, runs are submitted on {config.control}")
                for change in changes:
                    say(change)
            except NoServerError:
                pass
            except RunFailedError as error:
                say(str(error))
            _sleep(LOOK_EVERY if ready else 0.5, stopping)
    finally:
        stop(child)
        (config.state / FILE).unlink(missing_ok=True)
        say("stopped")


def start_superlink(config: ServerConfig) -> "subprocess.Popen[bytes]":
    """Start the SuperLink process."""
    return start(
        "fedlpa.flower.child",
        ["flower-superlink", *superlink_arguments(config)],
        config.state / LOG,
        {**flower_environment(config.state / "flower"), "FLWR_LOG_LEVEL": "WARNING"},
    )


def superlink_arguments(config: ServerConfig) -> list[str]:
    """What ``flower-superlink`` is started with."""
    arguments = [
        *("--ssl-ca-certfile", str(config.ca)),
        *("--ssl-certfile", str(config.certificate)),
        *("--ssl-keyfile", str(config.key)),
        "--enable-supernode-auth",
        *("--fleet-api-address", f"{_bracketed(config.host)}:{config.port}"),
        *("--host", "127.0.0.1"),
        *("--port", str(config.control_port)),
        *("--database", str(config.database)),
        "--disable-runtime-dependency-installation",
    ]
    if config.health_port is not None:
        arguments += ["--health-server-address", f"127.0.0.1:{config.health_port}"]
    return arguments


def follow_keys(config: ServerConfig) -> list[str]:
    """Let in the sites whose keys are in the folder, shut out the others; a sentence on each change."""
    wanted = _read_keys(config.sites)
    changes = []
    with control(config) as client:
        known = nodes(client)
        for node in known:
            if node.key not in wanted:
                unregister(client, node)
                changes.append(f"site {node.name} is shut out: its key is no longer in {config.sites}")
        for key in wanted.keys() - {node.key for node in known}:
            register(client, wanted[key], key)
            changes.append(f"site {wanted[key]} is registered")
    return sorted(changes)


def check_server(config: ServerConfig) -> None:
    """Refuse what cannot work before anything is started.

    Raises:
        InputError: a missing file, a readable key, a bad public key, a port in use.
    """
    for setting, path in (("certificate", config.certificate), ("key", config.key), ("ca", config.ca)):
        if not path.is_file():
            raise InputError(f"{path} does not exist; correct '{setting}' in {config.source}.")
    if config.key.stat().st_mode & 0o077:
        raise InputError(f"{config.key} can be read by others; run chmod 600 on it.")
    if not config.sites.is_dir():
        raise InputError(f"{config.sites} is not a folder; correct 'sites' in {config.source}.")
    _read_keys(config.sites)
    for setting, host, port in (
        ("port", config.host, config.port),
        ("control-port", "127.0.0.1", config.control_port),
    ):
        _check_port(config, setting, host, port)


def _check_port(config: ServerConfig, setting: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"{host}:{port} cannot be listened on ({error.strerror}); is a server running already? "
                f"Otherwise change '{setting}' in {config.source}."
            ) from None


def _read_keys(folder: Path) -> dict[bytes, str]:
    keys: dict[bytes, str] = {}
    for path in sorted(folder.glob("*.pub")):
        try:
            key = read_public_key(path.read_bytes())
        except (ValueError, OSError) as error:
            raise InputError(f"{path} is not a site's public key ({error}); replace or remove it.") from None
        if key in keys:
            raise InputError(f"{path} holds the same key as {keys[key]}.pub; every site needs its own.")
        keys[key] = path.stem
    return keys


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _sleep(seconds: float, stopping: list[int]) -> None:
    end = time.monotonic() + seconds
    while not stopping and time.monotonic() < end:
        time.sleep(0.1)
