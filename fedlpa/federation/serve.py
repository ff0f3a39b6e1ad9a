"""``fedlpa server start``: a SuperLink that is kept alive, and a list of sites that follows the folder of keys."""

import socket
from pathlib import Path

from common.errors import InputError, RunFailedError
from fedlpa.federation.server_config import ServerConfig
from fedlpa.flower.control import NoServerError, control, nodes, read_public_key, register, unregister
from fedlpa.flower.processes import flower_environment
from fedlpa.flower.superlink import superlink_arguments
from fedlpa.flower.supervisor import Backoff, Child, Say, Supervisor
from fedlpa.liveness import FILE, touch

LOG = "server.log"
LOOK_EVERY = 3.0
"""Seconds between two looks at the SuperLink and the folder of keys."""


def serve(config: ServerConfig, say: Say) -> None:
    """Run until a signal ends it. A SuperLink that dies is started again on its database.

    Raises:
        InputError: a file or a port of the configuration will not do.
    """
    check_server(config)
    supervisor = Supervisor(say)
    for folder in (config.state, config.database.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    link = _Link(config, supervisor)
    try:
        supervisor.run(link.look)
    finally:
        link.child.stop()
        (config.state / FILE).unlink(missing_ok=True)
        say("stopped")


class _Link:
    """The SuperLink; ``ready`` once it has answered."""

    def __init__(self, config: ServerConfig, supervisor: Supervisor) -> None:
        self.config, self.supervisor, self.say = config, supervisor, supervisor.say
        environment = {**flower_environment(config.state / "flower"), "FLWR_LOG_LEVEL": "WARNING"}
        self.child = Child("fedlpa.flower.superlink", config.state / LOG, environment)
        self.backoff, self.ready = Backoff(), False
        self.faults: tuple[str, ...] = ()

    def look(self) -> float:
        """See to it that it runs and knows the sites; returns when to look again."""
        if not self.child.runs:
            if self.child.status is not None:
                why = f"the SuperLink ended ({self.child.last_words()}); starting it again"
                self.supervisor.wait(self.backoff, why)
            if self.supervisor.stopping:
                return 0.0
            self.child.start(superlink_arguments(self.config))
            self.ready = False
        try:
            self._follow_keys()
        except NoServerError:
            pass
        except RunFailedError as error:
            self.say(str(error))
        return LOOK_EVERY if self.ready else 0.5

    def _follow_keys(self) -> None:
        changes, faults = follow_keys(self.config)
        for fault in faults:
            if fault not in self.faults:
                self.say(f"{fault}; it is left out, and looked at again")
        self.faults = faults
        touch(self.config.state)
        if not self.ready:
            self.ready = True
            self.say(f"ready: sites connect to port {self.config.port}, runs are submitted on {self.config.control}")
        for change in changes:
            self.say(change)


def follow_keys(config: ServerConfig) -> tuple[list[str], tuple[str, ...]]:
    """Let in the sites whose keys are in the folder, shut out the others; a sentence on each change, and on each file
    that is no key (half a copy, say). A site that is in stays in while its file is such a one.
    """
    wanted, faults = _read_keys(config.sites)
    changes = []
    with control(config) as client:
        known = nodes(client)
        for node in known:
            if node.key not in wanted and node.name not in faults:
                unregister(client, node)
                changes.append(f"site {node.name} is shut out: its key is no longer in {config.sites}")
        for key in wanted.keys() - {node.key for node in known}:
            register(client, wanted[key], key)
            changes.append(f"site {wanted[key]} is registered")
    return sorted(changes), tuple(faults.values())


def check_server(config: ServerConfig) -> None:
    """Refuse what cannot work before anything is started.

    Raises:
        InputError: a missing file, a readable key, a port in use.
    """
    for setting, path in (("certificate", config.certificate), ("key", config.key), ("ca", config.ca)):
        if not path.is_file():
            raise InputError(f"{path} does not exist; correct '{setting}' in {config.source}.")
    if config.key.stat().st_mode & 0o077:
        raise InputError(f"{config.key} can be read by others; run chmod 600 on it.")
    if not config.sites.is_dir():
        raise InputError(f"{config.sites} is not a folder; correct 'sites' in {config.source}.")
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


def _read_keys(folder: Path) -> tuple[dict[bytes, str], dict[str, str]]:
    """Names by key; and by name what is wrong with the files that are no keys."""
    keys: dict[bytes, str] = {}
    faults: dict[str, str] = {}
    for path in sorted(folder.glob("*.pub")):
        try:
            key = read_public_key(path.read_bytes())
        except (ValueError, OSError) as error:
            faults[path.stem] = f"{path} is not a site's public key ({error}); replace or remove it"
            continue
        if key in keys:
            faults[path.stem] = f"{path} holds the same key as {keys[key]}.pub; every site needs its own"
            continue
        keys[key] = path.stem
    return keys, faults
