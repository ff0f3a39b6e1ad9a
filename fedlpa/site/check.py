"""``fedlpa site check``: everything that could keep a site from taking part, each with its exact cause."""

from collections.abc import Callable
from math import prod
from pathlib import Path

from client_app.account import check_budget, read_account
from client_app.approved_run import approved_run
from client_app.changed_rows import check_changed
from client_app.methods import client_method
from client_app.policy import load_policy, read_policy, shortcomings
from client_app.refusal import RefusedError
from client_app.site import real_site
from client_app.site_config import SiteConfig
from common.errors import InputError
from common.methods.registry import get_method
from common.place import Deployment
from common.run_toml import is_complete, read_run
from common.settings import AnyConfig
from fedlpa.flower.pin import installed_hash
from fedlpa.site.approval import HOW
from fedlpa.site.connection import Finding, check_connection
from fedlpa.site.room import ENOUGH_DISK, free_bytes, standing_folder


def check_site(config: SiteConfig, run: Path | None = None) -> list[Finding]:
    """All checks. ``run``: a ``run.toml`` to check data and policy against; by default the site's own."""
    return [
        *check_connection(config),
        _state(config),
        _disk(config),
        _application(config),
        *_run_checks(config, run or config.run),
    ]


def state_fault(config: SiteConfig) -> str | None:
    """Why the site's state folder cannot be used; None if it can. It is made if it is not there."""
    try:
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = config.state / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"{config.state} cannot be written ({error.strerror}); correct 'state'"
    return None


def _state(config: SiteConfig) -> Finding:
    fault = state_fault(config)
    return Finding("state", fault is None, fault or f"{config.state} can be written")


def _disk(config: SiteConfig) -> Finding:
    free = free_bytes(config.state)
    told = f"{free / 2**30:.1f} GiB are free below {standing_folder(config.state)}"
    return Finding("disk", free >= ENOUGH_DISK, told if free >= ENOUGH_DISK else f"only {told}; 2 GiB are needed")


def _application(config: SiteConfig) -> Finding:
    found = installed_hash()
    if found == config.approved_app:
        return Finding("application", True, f"the installed application is the approved one ({found[:12]})")
    approved = config.approved_app or "none"
    return Finding(
        "application",
        False,
        f"the installed application {found} is not the approved one, {approved}; {HOW.format(config.source)}",
    )


def _finding(check: str, look: Callable[[], str]) -> Finding:
    """What ``look`` tells if all is well, and the sentence of its InputError if not."""
    try:
        return Finding(check, True, look())
    except InputError as error:
        return Finding(check, False, str(error).rstrip("."))


def _run_checks(config: SiteConfig, path: Path) -> list[Finding]:
    try:
        run = _read_run(path)
    except InputError as error:
        return [Finding("run", False, str(error).rstrip("."))]
    findings = [_finding("data", lambda: _data(config, run)), _finding("policy", lambda: _policy(config, run))]
    if run is None or path != config.run:
        return findings
    findings.insert(0, _finding("run", lambda: _approved(config)))
    if all(found.ok for found in findings):
        findings.append(_finding("changes", lambda: _changes(config, run)))
    return findings


def _approved(config: SiteConfig) -> str:
    run = approved_run(config)
    return f"{run.method}, {run.rounds} rounds, is approved ({config.approved_run[:12]})"


def _changes(config: SiteConfig, run: AnyConfig) -> str:
    """Whether the data may be answered on, after what left before; and how much may leave still."""
    site, policy = real_site(config), load_policy(config.policy, run.method)
    try:
        check_changed(config.state, client_method(run).load_data(site, site.configure(run)), policy.min_samples)
        account = read_account(config.state)
        check_budget(account, policy, policy.noise_multiplier)
    except RefusedError as error:
        raise InputError(str(error)) from None
    return f"{account.rounds} of {policy.max_rounds} rounds are answered so far"


def _read_run(path: Path) -> AnyConfig | None:
    """The run to check against; None where there is none, or it does not say yet what the data looks like."""
    if not path.exists():
        return None
    config = read_run(path).config
    return config if is_complete(config) else None


def _data(config: SiteConfig, run: AnyConfig | None) -> str:
    """Read the data and, if there is a run, check it against that."""
    from common.data.read import ReadOptions, read_dataset

    if run is None:
        options = ReadOptions(label_column=config.label_column, skip_bad_images=config.skip_bad_images)
        alone = read_dataset(str(config.data), options)
        return f"{len(alone)} {alone.kind} of shape {alone.sample_shape}; no run.toml says what is expected"
    if not config.data.exists():
        raise InputError(f"{config.data} does not exist; correct 'data' in {config.source}.")
    site = real_site(config)
    data = client_method(run).load_data(site, site.configure(run))
    return f"{data.size['samples']} samples, {data.size['labelled']} labelled, fit the run"


def _policy(config: SiteConfig, run: AnyConfig | None) -> str:
    """Read the policy and, if there is a run, check that it lets out what the run needs."""
    if run is None:
        read_policy(config.policy)
        return f"{config.policy} can be used"
    policy = load_policy(config.policy, run.method)
    contract = get_method(run.method).contract(run, Deployment())
    found = shortcomings(policy, contract)
    required = [array.shape for record in contract.records if record.required for array in record.arrays.values()]
    need = sum(4 * prod(size or 0 for size in shape) for shape in required)
    if need > policy.max_bytes_per_round:
        found.append(f"the weights alone have {need} bytes, max-bytes-per-round is {policy.max_bytes_per_round}")
    support = run.flat().get("min-support")
    counts = any(record.counted for record in contract.records)
    if counts and isinstance(support, int) and policy.min_samples > support:
        found.append(f"categories of {support} samples may be sent (min-support), min-samples is {policy.min_samples}")
    if found:
        raise InputError(f"{config.policy} is stricter than the run: {'; '.join(found)}.")
    return f"{config.policy} lets out what the run needs"
