"""``fedlpa site status``: read from what the site's own code wrote, and changed by nothing that is only read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from client_app.account import FILE as ACCOUNT
from client_app.account import Account, RunAccount
from client_app.audit import FILE as AUDIT
from client_app.audit import Event, append_event
from client_app.kept import write_kept
from client_app.site_config import SiteConfig
from common.privacy.accountant import epsilon_of
from fedlpa.liveness import touch
from fedlpa.site.site_commands import app
from fedlpa.site.site_status import site_status

Make = Callable[..., SiteConfig]


@pytest.fixture
def config(make_site: Make) -> SiteConfig:
    made = make_site()
    made.state.mkdir(exist_ok=True)
    return made


def asked(config: SiteConfig, outcome: str, number: int, reason: str = "") -> None:
    append_event(config.state, Event("trial", "fedlpa", number, 9, "train", outcome, reason))  # type: ignore[arg-type]


def test_a_site_that_does_not_run_is_not_well_though_a_sign_of_life_is_fresh(config: SiteConfig) -> None:
    touch(config.state)
    found = site_status(config)
    assert not found.well
    assert not found.connected
    assert "'fedlpa site start' does not run" in found.causes


def test_the_last_run_and_what_left_are_told_from_the_audit_log(config: SiteConfig) -> None:
    asked(config, "sent", 1)
    asked(config, "repeated", 1)
    asked(config, "sent", 2)
    asked(config, "refused", 3, "too many rounds")
    found = site_status(config)
    assert found.last_run is not None
    assert (found.last_run.name, found.last_run.round, found.last_run.rounds_answered) == ("trial", 3, 2)
    assert (found.left.replies, found.left.rounds, found.left.unreadable) == (3, 2, 0)
    assert "round 3 of run trial: refused: too many rounds" in found.causes


def test_epsilon_is_the_accounts_of_all_runs_and_of_the_last(config: SiteConfig) -> None:
    asked(config, "sent", 1)
    assert site_status(config).epsilon is None
    runs = {"trial": RunAccount(rounds=1, updates=1, mu_squared=0.25), "old": RunAccount(rounds=4, mu_squared=1.0)}
    write_kept(config.state / ACCOUNT, Account(runs=runs, audited=1))
    epsilon = site_status(config).epsilon
    assert epsilon is not None
    assert epsilon.all_runs == pytest.approx(epsilon_of(1.25))
    assert epsilon.last_run == pytest.approx(epsilon_of(0.25))


def test_damaged_files_are_causes_and_stay_as_they_are(config: SiteConfig) -> None:
    asked(config, "sent", 1)
    (config.state / ACCOUNT).write_text("{}")
    with open(config.state / AUDIT, "a") as file:
        file.write("no line of ours\n" + '{"half')
    before = {path: path.read_bytes() for path in config.state.iterdir()}
    causes = " ".join(site_status(config).causes)
    assert f"{config.state / ACCOUNT} is damaged" in causes
    assert f"{config.state / AUDIT} is damaged in 1 lines" in causes
    assert {path: path.read_bytes() for path in config.state.iterdir()} == before


def test_scripts_get_one_object_with_the_same_causes(config: SiteConfig) -> None:
    told = CliRunner().invoke(app, ["status", "--config", str(config.source), "--json"])
    assert told.exit_code != 0
    found = json.loads(told.stdout)
    assert found["well"] is False
    assert found["causes"] == list(site_status(config).causes)
    assert found["approved-run"] is None


def test_a_reason_with_line_ends_and_escapes_stays_one_line_of_each_output(config: SiteConfig, tmp_path: Path) -> None:
    asked(config, "refused", 1, "a\nsite         well\x1b[2J")
    told = CliRunner().invoke(app, ["status", "--config", str(config.source)]).stdout
    assert "\x1b" not in told
    assert "site         well" not in told.splitlines()
