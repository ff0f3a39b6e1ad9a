"""``fedlpa site start``: a SuperNode and the process that works for it, kept alive until they are stopped."""

import secrets

from client_app.site_config import SiteConfig
from common.errors import InputError, RunFailedError
from common.files import write_atomically
from common.locks import hold_lock
from fedlpa.flower.patches.heartbeat_touch import ALIVE
from fedlpa.flower.pin import installed_hash
from fedlpa.flower.processes import flower_environment, free_port
from fedlpa.flower.supernode import SECRET, supernode_arguments
from fedlpa.flower.supervisor import Backoff, Child, Say, Supervisor
from fedlpa.liveness import FILE, is_well
from fedlpa.site.approval import HOW
from fedlpa.site.check import state_fault
from fedlpa.site.connection import check_connection, load_key

LOG = "flower.log"
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
    supervisor = Supervisor(say)
    busy = f"'fedlpa site start' runs already on {config.state}; stop it first, or give {config.source} "
    with hold_lock(config.state / "site.lock", mode=0o600, busy=f"{busy}a state of its own."):
        pair = _Pair(config, supervisor)
        try:
            supervisor.run(pair.look)
        finally:
            pair.stop()
    say("stopped")


class _Pair:
    """The SuperNode and the worker; one is of no use without the other."""

    def __init__(self, config: SiteConfig, supervisor: Supervisor) -> None:
        self.config, self.supervisor, self.say = config, supervisor, supervisor.say
        log, alive = config.state / LOG, config.state / FILE
        environment = {**flower_environment(config.state / "flower"), ALIVE: str(alive)}
        self.node = Child("fedlpa.flower.supernode", log, environment)
        self.worker = Child("fedlpa.flower.worker", log, environment)
        self.address = ""
        self.heard = False
        alive.unlink(missing_ok=True)
        self.falls, self.worker_falls = Backoff(most=30.0), Backoff(most=30.0)

    def look(self) -> float:
        """See to it that both run; returns when to look again."""
        self._keep_node()
        self._keep_worker()
        self._tell_connection()
        return 0.5

    def stop(self) -> None:
        """End both."""
        self.worker.stop(2.0)
        self.node.stop()

    def _tell_connection(self) -> None:
        """Say when the server falls silent and when it is heard again: the SuperNode touches a file then."""
        heard = is_well(self.config.state / FILE)
        if heard != self.heard:
            self.say(f"connected to {self.config.server}" if heard else SILENT.format(self.config.server))
        self.heard = heard

    def _keep_node(self) -> None:
        if self.node.runs:
            return
        if self.node.status is not None:
            self.worker.stop(2.0)
            why = f"the SuperNode ended ({self.node.last_words()}); starting it again"
            self.supervisor.wait(self.falls, why)
        self.node.stop()
        if self.supervisor.stopping or not self._reachable():
            return
        write_atomically(self.config.state / SECRET, lambda path: path.write_bytes(secrets.token_bytes(32)), mode=0o600)
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.node.start(supernode_arguments(self.config, port))
        self.say(f"started; connecting to {self.config.server}")

    def _reachable(self) -> bool:
        """Whether the server can be reached; if not, the cause was told and time has passed."""
        failed = check_connection(self.config)[-1]
        if failed.ok:
            return True
        if not failed.passing:
            raise RunFailedError(f"{failed.told}.")
        self.supervisor.wait(self.falls, f"{failed.told}; trying again")
        return False

    def _keep_worker(self) -> None:
        if self.worker.runs or not self.node.started:
            return
        from fedlpa.flower.worker import RENEW

        if self.worker.status not in (None, RENEW):
            why = f"the working process ended with {self.worker.status}; starting it again"
            self.supervisor.wait(self.worker_falls, why)
        self.worker.start([str(self.config.source), self.address, str(self.config.state / SECRET)])


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
    fault = state_fault(config)
    if fault is not None:
        raise InputError(f"{fault} in {config.source}.")
