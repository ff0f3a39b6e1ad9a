"""How much has left a site in all its runs: answered rounds and privacy spent, held against the policy's limits.

``account.json`` is a short form of ``audit.jsonl`` and is made from it again where it is damaged. It fails closed:
where neither can be believed, nothing leaves.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from client_app import audit
from client_app.kept import DamagedError, Kept, read_kept, set_aside, write_kept
from client_app.policy import Policy
from client_app.refusal import RefusedError
from client_app.site import RUNS
from common.errors import RunFailedError
from common.privacy.accountant import epsilon_of, spent

FILE = "account.json"
log = logging.getLogger("fedlpa.site")


class RunAccount(Kept):
    """One run: answered rounds, of which so many updates with noise, and their share of mu squared."""

    rounds: int = Field(0, ge=0)
    updates: int = Field(0, ge=0)
    mu_squared: float = Field(0.0, ge=0)


class Account(Kept):
    """All runs by name, and how far the audit log went when this was written."""

    runs: Mapping[str, RunAccount] = {}
    audited: int = Field(0, ge=0)

    @property
    def rounds(self) -> int:
        """Answered rounds of all runs."""
        return sum(run.rounds for run in self.runs.values())

    @property
    def mu_squared(self) -> float:
        """Privacy spent in all runs."""
        return sum(run.mu_squared for run in self.runs.values())


@dataclass(frozen=True)
class Spent:
    """Noised updates of one run, the epsilon they come to, and the epsilon of all runs of this site together."""

    updates: int
    epsilon: float
    epsilon_of_all: float


def read_account(home: Path) -> Account:
    """The account of the site whose state folder is ``home``.

    Raises:
        RefusedError: what was written down of earlier runs is gone or damaged.
    """
    path = home / FILE
    try:
        last = audit.lines_in(home)
    except ValueError:
        raise RefusedError(_mend(home, f"the end of {home / audit.FILE} is damaged")) from None
    try:
        account = read_kept(path, Account)
    except DamagedError as error:
        log.warning("%s; it is kept as %s and made again from %s", error, set_aside(path).name, audit.FILE)
        account = None
    if account is None:
        return _from_audit(home)
    if last < account.audited:
        raise RefusedError(_mend(home, f"{home / audit.FILE} has lost lines: {last} are left of {account.audited}"))
    return account


def check_budget(account: Account, policy: Policy, noise_multiplier: float) -> None:
    """Refuse one more answered round where the policy's limits do not allow it.

    Raises:
        RefusedError: ``max-rounds`` or ``max-epsilon`` is reached.
    """
    if account.rounds >= policy.max_rounds:
        raise RefusedError(
            f"{account.rounds} rounds of all runs are answered, max-rounds of the policy is {policy.max_rounds}; raise "
            "it there to go on"
        )
    if policy.max_epsilon is None:
        return
    reached = epsilon_of(account.mu_squared + spent(noise_multiplier))
    if reached > policy.max_epsilon:
        raise RefusedError(
            f"one more update would make epsilon {reached:.3g} over all runs, max-epsilon of the policy is "
            f"{policy.max_epsilon:g}"
        )


def book(home: Path, account: Account, run: str, noise_multiplier: float) -> Spent:
    """Write down that one more round of ``run`` was answered; with noise of ``noise_multiplier``, if not 0."""
    before = account.runs.get(run, RunAccount())
    cost = spent(noise_multiplier) if noise_multiplier else 0.0
    now = RunAccount(
        rounds=before.rounds + 1,
        updates=before.updates + (1 if noise_multiplier else 0),
        mu_squared=before.mu_squared + cost,
    )
    changed = Account(runs={**account.runs, run: now}, audited=audit.lines_in(home))
    write_kept(home / FILE, changed)
    return Spent(now.updates, epsilon_of(now.mu_squared), epsilon_of(changed.mu_squared))


def _from_audit(home: Path) -> Account:
    path = home / audit.FILE
    if not path.exists():
        if len(list((home / RUNS).glob("*/answer-*"))) > 1:  # the first may have been on its way when all ended
            raise RefusedError(_mend(home, f"{path} is gone, although this site has taken part in runs"))
        return Account()
    try:
        found = audit.verify(path)
    except (RunFailedError, OSError) as error:
        raise RefusedError(_mend(home, str(error).rstrip("."))) from None
    runs = {
        run: RunAccount(
            rounds=rounds,
            updates=len(found.noise.get(run, [])),
            mu_squared=math.fsum(map(spent, found.noise.get(run, []))),
        )
        for run, rounds in found.rounds.items()
    }
    return Account(runs=runs, audited=found.messages)


def _mend(home: Path, what: str) -> str:
    return (
        f"{what}, so nobody knows how much has left this site; restore it from a copy, or, if you accept that the "
        f"count starts anew, move {home} away"
    )
