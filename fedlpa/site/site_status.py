"""``fedlpa site status``: how a site is, from its files and locks alone, for people and for scripts."""

from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from client_app.account import FILE as ACCOUNT
from client_app.account import Account
from client_app.audit import FILE as AUDIT
from client_app.kept import DamagedError, read_kept
from client_app.site_config import SiteConfig
from common.errors import InputError
from common.locks import is_locked
from common.privacy.accountant import DELTA
from common.run.predictions import FILE as PREDICTIONS
from common.wire.messages import DELIVER
from fedlpa.flower.pin import installed_hash
from fedlpa.liveness import FILE, is_well
from fedlpa.site.contact import read_contact
from fedlpa.site.replies import AuditedReply, all_replies
from fedlpa.site.room import free_bytes, size
from fedlpa.site.start import LOCK
from fedlpa.site.story import MODEL, NOT_APPROVED

LEAST_FREE = 2**20
"""Bytes below which nothing can be kept."""


class _Told(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True)


class Application(_Told):
    """Hashes of the installed application and of the approved one."""

    installed: str
    approved: str
    agree: bool


class LastRun(_Told):
    """The run that asked last. ``round`` is the last one that was asked for, ``outcome`` what came of it."""

    name: str
    method: str
    round: int
    rounds: int
    kind: str
    outcome: str
    reason: str
    since: str
    last: str
    rounds_answered: int
    bytes: int
    ended: bool


class Left(_Told):
    """What left this site in all, by ``audit.jsonl``. ``unreadable``: lines that are none."""

    replies: int
    rounds: int
    bytes: int
    unreadable: int


class Epsilon(_Told):
    """What noise has spent, at ``delta``: all runs of the site, and the last one if it has an account."""

    all_runs: float
    last_run: float | None
    delta: float = DELTA


class Results(_Told):
    """Where the results of the run that was delivered last lie, and since when; None where there are none."""

    predictions: str | None
    model: str | None
    written: str | None


class SiteStatus(_Told):
    """All of it. ``causes`` is empty if the site is well; times are ISO 8601, sizes bytes."""

    name: str
    server: str
    version: str
    well: bool
    causes: tuple[str, ...]
    running: bool
    started: str | None
    process: int | None
    connected: bool
    since: str | None
    last_heard: str | None
    application: Application
    approved_run: str | None
    last_run: LastRun | None
    left: Left
    epsilon: Epsilon | None
    free_bytes: int
    state: str
    results: Results


def site_status(config: SiteConfig) -> SiteStatus:
    """How the site of ``config`` is. Nothing is asked of the network, and nothing is changed.

    Raises:
        InputError: the state folder cannot be read.
    """
    causes: list[str] = []
    lock = config.state / LOCK
    try:
        running = lock.exists() and is_locked(lock)
        alive = config.state / FILE
        heard = is_well(alive)
        last_heard = _time(alive.stat().st_mtime) if alive.exists() else None
        run, left = _read_audit(config.state / AUDIT)
        free = free_bytes(config.state)
    except OSError as error:
        raise InputError(f"{config.state} cannot be read ({error.strerror}); run this as the site's user.") from None
    contact = None
    try:
        contact = read_contact(config.state)
    except InputError as error:
        causes.append(str(error).rstrip("."))
    started = contact.started if contact and running else None
    connected = running and heard
    if not running:
        causes.append("'fedlpa site start' does not run")
    elif not connected:
        causes.append((contact.cause if contact else "") or f"{config.server} is not heard")
    application = _application(config)
    if not application.agree:
        causes.append("the installed application is not the approved one; see 'fedlpa site check'")
    if left.unreadable:
        causes.append(f"{config.state / AUDIT} is damaged in {left.unreadable} lines; see 'fedlpa site audit'")
    if free < LEAST_FREE:
        causes.append(f"the disk is full: {size(free)} are free for {config.state}")
    if run is not None and _stands_out(run, started):
        asked = "the final model" if run.kind == DELIVER else f"round {run.round}"
        causes.append(f"{asked} of run {run.name}: {run.outcome}: {run.reason or 'site.log says why'}")
    epsilon = None
    try:
        epsilon = _epsilon(config.state, run)
    except InputError as error:
        causes.append(str(error).rstrip("."))
    approved_run = config.approved_run
    return SiteStatus(
        name=config.name,
        server=config.server,
        version=_version(),
        well=not causes,
        causes=tuple(causes),
        running=running,
        started=started or None,
        process=contact.process if contact and running else None,
        connected=connected,
        since=contact.since if contact and running and contact.connected == connected else None,
        last_heard=last_heard,
        application=application,
        approved_run=str(approved_run) if approved_run else None,
        last_run=run,
        left=left,
        epsilon=epsilon,
        free_bytes=free,
        state=str(config.state),
        results=_results(config.state),
    )


def in_words(status: SiteStatus) -> list[str]:
    """The status, a line for each thing."""
    run, left, found = status.last_run, status.left, status.results
    heard = "connected" if status.connected else "not connected"
    lines = [
        f"site         {status.name}, fedlpa {status.version}",
        f"start        {'runs' if status.running else 'does not run'}"
        + (f" since {status.started}, process {status.process}" if status.started else ""),
        f"server       {status.server}, {heard}"
        + (f" since {status.since}" if status.since else "")
        + (f", last heard {status.last_heard}" if status.last_heard else ""),
        f"application  {status.application.installed[:12]}, {'' if status.application.agree else 'not '}approved",
        f"approved run {status.approved_run or 'none'}",
    ]
    if run is None:
        lines.append("last run     none")
    else:
        asked = "final model" if run.kind == DELIVER else f"round {run.round} of {run.rounds}"
        lines.append(
            f"last run     {run.name}, {run.method}, {asked}: {run.outcome} at {run.last}; "
            f"{run.rounds_answered} rounds, {size(run.bytes)} left since {run.since}"
        )
    lines.append(f"left in all  {left.replies} replies, {left.rounds} rounds, {size(left.bytes)}")
    if status.epsilon is not None:
        lines.append(f"epsilon      {status.epsilon.all_runs:.3g} at delta {status.epsilon.delta:g}, all runs")
    lines.append(f"disk         {size(status.free_bytes)} free for {status.state}")
    results = ", ".join(place for place in (found.predictions, found.model) if place)
    lines.append(f"results      {results or 'none'}" + (f", written {found.written}" if found.written else ""))
    return lines


def _read_audit(path: Path) -> tuple[LastRun | None, Left]:
    """The last run, and what left in all."""
    of_runs: dict[str, tuple[str, int, int]] = {}
    last: AuditedReply | None = None
    replies = rounds = total = unreadable = 0
    for reply in all_replies(path):
        if reply is None:
            unreadable += 1
            continue
        last = reply
        since, answered, size_of_run = of_runs.get(reply.run, (reply.time, 0, 0))
        if reply.left:
            counts = reply.outcome == "sent" and reply.kind.startswith("train") and reply.kind != DELIVER
            replies, rounds, total = replies + 1, rounds + counts, total + reply.bytes
            answered, size_of_run = answered + counts, size_of_run + reply.bytes
        of_runs[reply.run] = (since, answered, size_of_run)
    left = Left(replies=replies, rounds=rounds, bytes=total, unreadable=unreadable)
    if last is None:
        return None, left
    since, answered, size_of_run = of_runs[last.run]
    run = LastRun(
        name=last.run,
        method=last.method,
        round=last.round,
        rounds=last.rounds,
        kind=last.kind,
        outcome=last.outcome,
        reason=last.reason,
        since=since,
        last=last.time,
        rounds_answered=answered,
        bytes=size_of_run,
        ended=last.kind == DELIVER,
    )
    return run, left


def _stands_out(run: LastRun, started: str | None) -> bool:
    """Whether the last message got no answer, and nobody has started the site anew since."""
    if run.outcome in ("sent", "repeated"):
        return False
    if run.outcome == NOT_APPROVED or started is None:
        return True
    try:
        return datetime.fromisoformat(run.last) >= datetime.fromisoformat(started)
    except (ValueError, TypeError):
        return True


def _application(config: SiteConfig) -> Application:
    found = installed_hash()
    return Application(installed=found, approved=config.approved_app, agree=found == config.approved_app)


def _epsilon(state: Path, run: LastRun | None) -> Epsilon | None:
    """What noise has spent; None where no update ever left with noise.

    Raises:
        InputError: the account is damaged.
    """
    from common.privacy.accountant import epsilon_of

    try:
        account = read_kept(state / ACCOUNT, Account)
    except DamagedError as error:
        raise InputError(f"{error}; it is made again from {AUDIT} with the next message.") from None
    if account is None or not account.mu_squared:
        return None
    own = account.runs.get(run.name) if run else None
    return Epsilon(
        all_runs=epsilon_of(account.mu_squared), last_run=None if own is None else epsilon_of(own.mu_squared)
    )


def _results(state: Path) -> Results:
    predictions, model = state / PREDICTIONS, state / MODEL
    there = [place for place in (predictions, model) if place.exists()]
    return Results(
        predictions=str(predictions) if predictions in there else None,
        model=str(model) if model in there else None,
        written=_time(max(place.stat().st_mtime for place in there)) if there else None,
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _version() -> str:
    try:
        return version("fedlpa")
    except PackageNotFoundError:
        return "unknown"
