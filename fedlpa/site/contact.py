"""Is the server heard, and if not, why? What ``fedlpa site start`` says of it, once per change."""

import contextlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from client_app.site_config import SiteConfig
from common.files import read_object, write_text
from fedlpa.liveness import FRESH, is_well
from fedlpa.site.connection import Finding

FILE = "contact.json"
"""In the site's state folder: what ``fedlpa site status`` reads."""
SILENT = "{} has not been heard for a minute; the SuperNode keeps trying"
LOOK_EVERY = 30.0
"""Seconds between two looks for the cause of a silence."""
FINE = "the server answers this machine, but not the SuperNode, whose own words are in flower.log"

Check = Callable[[SiteConfig], list[Finding]]


class Search:
    """A look for the cause, beside the main thread: a server that hangs must not keep a signal waiting."""

    def __init__(self, check: Check, config: SiteConfig) -> None:
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._run, args=(check, config), daemon=True)
        self._thread.start()

    def _run(self, check: Check, config: SiteConfig) -> None:
        try:
            self._found.append(check(config)[-1])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the cause
            self._found.append(Finding("connection", False, f"the check failed ({type(error).__name__})", True))

    def result(self, patience: float = 0.0) -> Finding | None:
        """What it came to; None while it is still looking."""
        self._thread.join(patience)
        return self._found[0] if self._found else None


@dataclass(frozen=True)
class Contact:
    """What ``fedlpa site start`` knows of the server. Times are ISO 8601; ``cause`` is why the server is not heard.

    ``started``: when that command started, as ``process``.
    """

    started: str
    process: int
    connected: bool
    since: str
    cause: str


def read_contact(state: Path) -> Contact | None:
    """What ``fedlpa site start`` wrote last; None where it wrote nothing.

    Raises:
        InputError: the file is damaged.
    """
    found: dict[str, Any] = read_object(state / FILE)
    if not found:
        return None
    process = found.get("process")
    return Contact(
        started=str(found.get("started", "")),
        process=process if isinstance(process, int) else 0,
        connected=found.get("connected") is True,
        since=str(found.get("since", "")),
        cause=str(found.get("cause", "")),
    )


class ContactWatch:
    """Follows the sign that the SuperNode leaves at each answer of the server."""

    def __init__(self, config: SiteConfig, alive: Path, check: Check, say: Callable[[str], None]) -> None:
        self.config, self.alive, self.check, self.say = config, alive, check, say
        self.connected, self.ever, self.cause = False, False, ""
        self.node_started: float | None = None
        self._started = _now()
        self._told_silent = False
        self._search: Search | None = None
        self._next_look, self._fine = 0.0, 0
        self._keep()

    def on_start(self, now: float) -> None:
        """A SuperNode was started; what an earlier one heard is no sign of it."""
        self.node_started = now

    def on_end(self) -> None:
        """The SuperNode has ended: nobody hears the server."""
        with contextlib.suppress(OSError):
            self.alive.unlink(missing_ok=True)
        self.node_started, self._search = None, None
        if self.connected:
            self.connected = False
            self._keep()

    def look(self, now: float) -> None:
        """Say when the server falls silent, why, and when it is heard again."""
        if is_well(self.alive):
            self._on_heard()
        elif self.node_started is not None and (self.connected or self._told_silent or now - self.node_started > FRESH):
            self._on_silent(now)

    def name(self, finding: Finding) -> None:
        """Say a cause that is new."""
        if finding.told != self.cause:
            self.cause = finding.told
            self.say(f"{finding.told}; trying again" if finding.passing else f"{finding.told}; trying all the same")
            self._keep()

    def _on_heard(self) -> None:
        if not self.connected:
            self.connected, self.ever, self.cause = True, True, ""
            self._told_silent, self._search, self._fine = False, None, 0
            self.say(f"connected to {self.config.server}")
            self._keep()

    def _on_silent(self, now: float) -> None:
        if not self._told_silent:
            self._told_silent, self.connected, self._fine, self._next_look = True, False, 0, now
            self.say(SILENT.format(self.config.server))
            self._keep()
        if self._search is None and now >= self._next_look:
            self._search = Search(self.check, self.config)
        found = None if self._search is None else self._search.result()
        if found is None:
            return
        self._search, self._next_look = None, now + LOOK_EVERY
        self._fine = self._fine + 1 if found.ok else 0
        if not found.ok:
            self.name(found)
        elif self._fine > 1:  # once is no news: the SuperNode pauses between its tries
            self.name(Finding(found.check, False, FINE, passing=True))

    def _keep(self) -> None:
        """For ``fedlpa site status``; on a full disk it stays as it was."""
        told = {
            "started": self._started,
            "process": os.getpid(),
            "connected": self.connected,
            "since": _now(),
            "cause": self.cause,
        }
        with contextlib.suppress(OSError):
            write_text(self.alive.parent / FILE, json.dumps(told) + "\n", mode=0o600)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
