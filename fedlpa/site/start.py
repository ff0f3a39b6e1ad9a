"""``fedlpa site start``: a SuperNode and the process that works for it, kept alive until they are stopped."""

import contextlib
import secrets
import time
from collections.abc import Iterator

from client_app.audit import FILE as AUDIT
from client_app.site_config import SiteConfig
from common.errors import InputError, RunFailedError
from common.files import write_atomically
from common.locks import LockedError, hold_lock
from fedlpa.flower.patches.heartbeat_touch import ALIVE
from fedlpa.flower.pin import installed_hash
from fedlpa.flower.processes import flower_environment, free_port
from fedlpa.flower.supernode import SECRET, supernode_arguments
from fedlpa.flower.supervisor import Backoff, Child, Say, Supervisor
from fedlpa.liveness import FILE
from fedlpa.site.approval import HOW
from fedlpa.site.check import state_fault
from fedlpa.site.connection import check_connection, load_key
from fedlpa.site.contact import ContactWatch, Search
from fedlpa.site.owner_only import close_to_others
from fedlpa.site.replies import Follower, read_reply
from fedlpa.site.room import RoomWatch
from fedlpa.site.story import Story

LOG = "flower.log"
LOCK = "site.lock"


def run_site(config: SiteConfig, say: Say) -> None:
    """Run until a signal ends it. What dies is started again, with growing pauses.

    A SuperNode that was killed is still "online" for the server for about a minute, and a new one is refused
    until then: so starting is tried again and again. At the start what waiting cannot mend ends the command; once the
    server has been heard nothing does, because whoever mends it may be somebody else.

    Raises:
        InputError: the site's configuration, its pinned application or its files will not do.
        RunFailedError: the server is not the federation's, or does not know this site.
    """
    _check_files(config)
    supervisor = Supervisor(say)
    with _alone(config):
        close_to_others(config.state)
        pair = _Pair(config, supervisor)
        try:
            supervisor.run(pair.look)
        finally:
            pair.stop()
    say("stopped")


@contextlib.contextmanager
def _alone(config: SiteConfig) -> Iterator[None]:
    """Hold the site's lock; ``fedlpa site status`` may hold it for a moment."""
    busy = f"'fedlpa site start' runs already on {config.state}; stop it first, or give {config.source} "
    for last in (False, False, True):
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(hold_lock(config.state / LOCK, mode=0o600, busy=f"{busy}a state of its own."))
            except LockedError:
                if last:
                    raise
                time.sleep(0.1)
                continue
            yield
            return


class _Pair:
    """The SuperNode and the worker; one is of no use without the other."""

    def __init__(self, config: SiteConfig, supervisor: Supervisor) -> None:
        self.config, self.supervisor, self.say = config, supervisor, supervisor.say
        log, alive = config.state / LOG, config.state / FILE
        environment = {**flower_environment(config.state / "flower"), ALIVE: str(alive)}
        self.node = Child("fedlpa.flower.supernode", log, environment)
        self.worker = Child("fedlpa.flower.worker", log, environment)
        self.address = ""
        with contextlib.suppress(OSError):
            alive.unlink(missing_ok=True)
        self.falls, self.worker_falls = Backoff(most=30.0), Backoff(most=30.0)
        self.contact = ContactWatch(config, alive, check_connection, self.say)
        self.room = RoomWatch(config.state, self.say)
        self.audit, self.story = Follower(config.state / AUDIT), Story(config)

    def look(self) -> float:
        """See to it that both run, and tell what happened; returns when to look again."""
        try:
            self._keep_node()
            self._keep_worker()
        except OSError as error:  # the disk is full, or no process can be made: it may pass
            self.supervisor.wait(self.falls, f"nothing can be started ({error.strerror or error}); trying again")
        self._tell()
        return 0.5

    def stop(self) -> None:
        """End both, and tell what left last."""
        self.worker.stop(1.0)
        self.node.stop(3.0)
        self._tell_replies()
        self.contact.on_end()

    def _tell(self) -> None:
        now = self.supervisor.now()
        self.room.look(now)
        if not self.room.fault:  # otherwise the sign of life may be what cannot be written
            self.contact.look(now)
        self._tell_replies()

    def _tell_replies(self) -> None:
        for line in self.audit.new_lines():
            reply = read_reply(line)
            if reply is not None:
                for sentence in self.story.lines(reply):
                    self.say(sentence)

    def _keep_node(self) -> None:
        if self.node.runs:
            return
        if self.node.status is not None:
            self.worker.stop(1.0)
            self.contact.on_end()
            self.supervisor.wait(self.falls, f"the SuperNode ended ({self.node.last_words()}); starting it again")
        self.node.stop()
        if self.supervisor.stopping or not self._reachable():
            return
        write_atomically(self.config.state / SECRET, lambda path: path.write_bytes(secrets.token_bytes(32)), mode=0o600)
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.node.start(supernode_arguments(self.config, port))
        self.contact.on_start(self.supervisor.now())
        self.say(f"started; connecting to {self.config.server}")

    def _reachable(self) -> bool:
        """Whether the server can be reached; if not, the cause was told and time has passed."""
        search, failed = Search(check_connection, self.config), None
        while failed is None:
            failed = search.result(patience=0.1)
            if self.supervisor.stopping:
                return False
        if failed.ok:
            return True
        if not failed.passing and not self.contact.ever:
            raise RunFailedError(f"{failed.told}.")
        self.contact.name(failed)
        self.supervisor.sleep(self.falls.next())
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
