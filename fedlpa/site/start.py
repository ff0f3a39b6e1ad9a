"""``fedlpa site start``: a SuperNode and the process that works for it, kept alive until they are stopped."""

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from client_app.site import SITE_CONFIG
from client_app.site_config import SiteConfig
from common.errors import InputError, RunFailedError
from common.files import write_atomically
from common.locks import LockedError, hold_lock
from fedlpa.flower.bundle import installed_hash
from fedlpa.flower.child import ALIVE
from fedlpa.flower.processes import Backoff, flower_environment, free_port, last_words, start, stop
from fedlpa.liveness import FILE, is_well
from fedlpa.site.approval import HOW
from fedlpa.site.connection import check_connection, load_key

Say = Callable[[str], None]
LOG = "flower.log"
SECRET = "runtime.secret"
SILENT = "{} has not been heard for a minute; the SuperNode keeps trying"


def run_site(config: SiteConfig, say: Say) -> None:
    """Run until a signal ends it. What dies is started again, with growing pauses.

    A SuperNode that was killed is still "online" for the server for about a minute, and a new one is refused
    until then: so starting is tried again and again. What waiting cannot mend ends the command.

    Raises:
        InputError: the site's configuration, its pinned application or its files will not do.
        RunFailedError: the server is not the federation's, or does not know this site.
    """
    _check_files(config)
    stopping: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    with _alone(config):
        _Pair(config, say, stopping).run()
    say("stopped")


class _Pair:
    """The SuperNode and the worker; one is of no use without the other."""

    def __init__(self, config: SiteConfig, say: Say, stopping: list[int]) -> None:
        self.config, self.say, self.stopping = config, say, stopping
        self.node: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.address = ""
        self.heard = False
        (config.state / FILE).unlink(missing_ok=True)
        self.falls, self.worker_falls = Backoff(most=30.0), Backoff(most=30.0)

    def run(self) -> None:
        try:
            while not self.stopping:
                self._keep_node()
                self._keep_worker()
                self._tell_connection()
                self._sleep(0.5)
        finally:
            stop(self.worker, 2.0)
            stop(self.node)

    def _tell_connection(self) -> None:
        """Say when the server falls silent and when it is heard again: the SuperNode touches a file then."""
        heard = is_well(self.config.state / FILE)
        if heard != self.heard:
            self.say(f"connected to {self.config.server}" if heard else SILENT.format(self.config.server))
        self.heard = heard

    def _keep_node(self) -> None:
        if self.node is not None and self.node.poll() is None:
            return
        if self.node is not None:
            stop(self.worker, 2.0)
            self.worker = None
            pause = self.falls.next()
            told = last_words(self.config.state / LOG, self.node.returncode)
            self.say(f"the SuperNode ended ({told}); starting it again in {pause:g} s")
            self._sleep(pause)
        self.node = None
        if self.stopping or not self._reachable():
            return
        write_atomically(self.config.state / SECRET, lambda path: path.write_bytes(secrets.token_bytes(32)), mode=0o600)
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.node = self._start("fedlpa.flower.child", ["flower-supernode", *supernode_arguments(self.config, port)])
        self.say(f"started; connecting to {self.config.server}")

    def _reachable(self) -> bool:
        """Whether the server can be reached; if not, the cause was told and time has passed."""
        failed = check_connection(self.config)[-1]
        if failed.ok:
            return True
        if not failed.passing:
            raise RunFailedError(f"{failed.told}.")
        pause = self.falls.next()
        self.say(f"{failed.told}; trying again in {pause:g} s")
        self._sleep(pause)
        return False

    def _keep_worker(self) -> None:
        if self.node is None or (self.worker is not None and self.worker.poll() is None):
            return
        from fedlpa.flower.worker import RENEW

        if self.worker is not None and self.worker.returncode != RENEW:
            pause = self.worker_falls.next()
            self.say(f"the working process ended with {self.worker.returncode}; starting it again in {pause:g} s")
            self._sleep(pause)
        self.worker = self._start(
            "fedlpa.flower.worker", [str(self.config.source), self.address, str(self.config.state / SECRET)]
        )

    def _start(self, module: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
        state = self.config.state
        environment = {**flower_environment(state / "flower"), ALIVE: str(state / FILE)}
        return start(module, arguments, state / LOG, environment)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            time.sleep(0.1)


def supernode_arguments(config: SiteConfig, port: int) -> list[str]:
    """What ``flower-supernode`` is started with."""
    return [
        *("--superlink", config.server),
        *("--root-certificates", str(config.ca)),
        *("--auth-supernode-private-key", str(config.key)),
        *("--node-config", f'{SITE_CONFIG}="{config.source}"'),
        *("--isolation", "process"),
        *("--superexec-auth-secret-file", str(config.state / SECRET)),
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
    ]


def _check_files(config: SiteConfig) -> None:
    running = installed_hash()
    if running != config.approved_app:
        raise InputError(
            f"the installed application {running} is not the one approved in {config.source}, "
            f"{config.approved_app or 'none'}; {HOW.format(config.source)}."
        )
    try:
        load_key(config)
    except ValueError as error:
        raise InputError(f"{error}.") from None
    if not config.data.exists():
        raise InputError(f"{config.data} does not exist; correct 'data' in {config.source}.")
    if '"' in str(config.source) or "'" in str(config.source):
        raise InputError(f"{config.source} has a quotation mark in its path; move the folder.")
    try:
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (config.state / ".writable").touch()
        (config.state / ".writable").unlink()
    except OSError as error:
        raise InputError(
            f"{config.state} cannot be written ({error.strerror}); correct 'state' in {config.source}."
        ) from None


@contextmanager
def _alone(config: SiteConfig) -> Iterator[None]:
    """Only one process may work on a site's state."""
    try:
        with hold_lock(config.state / "site.lock", mode=0o600):
            yield
    except LockedError:
        raise InputError(
            f"'fedlpa site start' runs already on {config.state}; stop it first, or give {config.source} a "
            "state of its own."
        ) from None
