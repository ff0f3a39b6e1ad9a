"""Hosts for tests: network namespaces on this machine, one for the server and one a site, each site on its own link."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

SERVER = "198.18.0.1"
"""The server's address; 198.18.0.0/15 is set aside for tests of networks."""
PIPE = Path(__file__).with_name("pipe.py")


def ip(*words: str) -> None:
    """``ip words``.

    Raises:
        OSError: it is not there, or not permitted.
    """
    told = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if told.returncode:
        raise OSError(f"ip {' '.join(words)}: {told.stderr.strip()}")


class Hosts:
    """A host called ``server`` and hosts for ``sites``. A site reaches the server, and nothing else."""

    def __init__(self, sites: tuple[str, ...], loss: float = 0.0) -> None:
        """``loss``: share of the packets that get lost on each link, either way.

        Raises:
            OSError: namespaces are not permitted here.
        """
        self._prefix = f"fl{secrets.token_hex(2)}-"
        self._number = {site: number for number, site in enumerate(sites, start=1)}
        self._pipes: list[subprocess.Popen[bytes]] = []
        try:
            for name in ("server", *sites):
                ip("netns", "add", self.namespace(name))
                ip("-n", self.namespace(name), "link", "set", "lo", "up")
            ip("-n", self.namespace("server"), "addr", "add", f"{SERVER}/32", "dev", "lo")
            for site in sites:
                if loss and not has_netem():
                    self._pipe(site, loss)
                else:
                    self._cable(site)
                    if loss:
                        self._lose(site, loss)
        except OSError:
            self.remove()
            raise

    def namespace(self, name: str) -> str:
        """The name of a host's network namespace."""
        return self._prefix + name

    def at(self, name: str) -> list[str]:
        """What to write before a command to run it at a host."""
        return ["ip", "netns", "exec", self.namespace(name)]

    def cut(self, site: str) -> None:
        """From now on everything on a site's link gets lost, without a word to either end's programs."""
        ip("-n", self.namespace("server"), "link", "set", f"to{self._number[site]}", "down")

    def mend(self, site: str) -> None:
        """Undo ``cut``."""
        ip("-n", self.namespace("server"), "link", "set", f"to{self._number[site]}", "up")
        self._routes(site)

    def remove(self) -> None:
        """Take the hosts away; their processes have to be gone."""
        for pipe in self._pipes:
            pipe.kill()
            pipe.wait()
        for name in ("server", *self._number):
            subprocess.run(["ip", "netns", "del", self.namespace(name)], capture_output=True, check=False)

    def _cable(self, site: str) -> None:
        here, there, device = self.namespace("server"), self.namespace(site), f"to{self._number[site]}"
        ip("-n", here, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", there)
        ip("-n", here, "addr", "add", self._ends(site)[0], "peer", self._ends(site)[1], "dev", device)
        ip("-n", there, "addr", "add", self._ends(site)[1], "peer", self._ends(site)[0], "dev", "eth0")
        ip("-n", here, "link", "set", device, "up")
        ip("-n", there, "link", "set", "eth0", "up")
        self._routes(site)

    def _routes(self, site: str) -> None:
        ip("-n", self.namespace(site), "route", "replace", SERVER, "via", self._ends(site)[0], "dev", "eth0")

    def _ends(self, site: str) -> tuple[str, str]:
        number = self._number[site]
        return f"198.18.{number}.1", f"198.18.{number}.2"

    def _lose(self, site: str, loss: float) -> None:
        for host, device in (("server", f"to{self._number[site]}"), (site, "eth0")):
            words = ["qdisc", "add", "dev", device, "root", "netem", "loss", f"{loss:.2%}"]
            subprocess.run(["tc", "-n", self.namespace(host), *words], check=True)

    def _pipe(self, site: str, loss: float) -> None:
        here, there = self._ends(site)
        server, own = self.namespace("server"), self.namespace(site)
        words = [server, f"to{self._number[site]}", here, own, "eth0", there, str(loss)]
        pipe = subprocess.Popen([sys.executable, str(PIPE), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._pipes.append(pipe)
        assert pipe.stdout is not None
        if pipe.stdout.readline() != b"ready\n":
            raise OSError(f"no TUN device: {(pipe.stderr.read() if pipe.stderr else b'').decode()[-300:]}")
        self._routes(site)


def has_netem() -> bool:
    """Whether the kernel can lose packets by itself."""
    name = f"fl{secrets.token_hex(3)}"
    try:
        ip("netns", "add", name)
    except OSError:
        return False
    try:
        words = ["tc", "-n", name, "qdisc", "add", "dev", "lo", "root", "netem", "loss", "1%"]
        return (
            shutil.which("tc") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
        )
    finally:
        ip("netns", "del", name)


def why_not() -> str | None:
    """Why there can be no hosts on this machine; None if there can."""
    if shutil.which("ip") is None:
        return "the command ip (iproute2) is not installed"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        Hosts(("probe",)).remove()
    except OSError as error:
        return f"network namespaces are not permitted here ({error})"
    return None
