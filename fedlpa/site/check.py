"""``fedlpa site check``: everything that could keep a site from taking part, each with its exact cause."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from client_app.policy import load_policy, shortcomings
from client_app.site import real_site
from client_app.site_config import SiteConfig
from common.config import make_config
from common.errors import InputError
from common.methods.registry import get_method
from common.place import Deployment
from common.settings import AnyConfig
from common.toml_file import read_toml
from fedlpa.flower.pin import installed_hash
from fedlpa.site.approval import HOW
from fedlpa.site.connection import Finding, check_connection

ENOUGH_DISK = 2 * 2**30
"""Bytes that should be free for the site's state."""


def check_site(config: SiteConfig, run: Path | None = None) -> list[Finding]:
    """All checks. ``run``: a ``run.toml`` to check data and policy against; by default the one beside site.toml."""
    return [
        *check_connection(config),
        _state(config),
        _disk(config),
        _application(config),
        *_run_checks(config, run or config.source.parent / "run.toml"),
    ]


def _state(config: SiteConfig) -> Finding:
    try:
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = config.state / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding("state", False, f"{config.state} cannot be written ({error.strerror}); correct 'state'")
    return Finding("state", True, f"{config.state} can be written")


def _disk(config: SiteConfig) -> Finding:
    place = next((path for path in (config.state, *config.state.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    told = f"{free / 2**30:.1f} GiB are free below {place}"
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


def _run_checks(config: SiteConfig, path: Path) -> Iterator[Finding]:
    try:
        run = _read_run(path)
    except InputError as error:
        yield Finding("run", False, str(error).rstrip("."))
        return
    if run is None:
        yield _data_alone(config)
        yield _policy(config, None)
        return
    try:
        from client_app.methods import client_method

        if not config.data.exists():
            raise InputError(f"{config.data} does not exist; correct 'data' in {config.source}.")
        site = real_site(config)
        data = client_method(run).load_data(site, site.configure(run))
        labelled = int((data.labels >= 0).sum())
        yield Finding("data", True, f"{len(data)} samples, {labelled} labelled, fit the run")
    except InputError as error:
        yield Finding("data", False, str(error).rstrip("."))
    yield _policy(config, run)


def _read_run(path: Path) -> AnyConfig | None:
    """The run to check against; None where there is none, or it does not say yet what the data looks like."""
    if not path.exists():
        return None
    settings = read_toml(path)
    settings.pop("server", None)
    config = make_config({**settings, "data": ""})
    return config if config.kind and config.sample_shape and config.seen_classes else None


def _data_alone(config: SiteConfig) -> Finding:
    from common.data.read import ReadOptions, read_dataset

    try:
        data = read_dataset(str(config.data), ReadOptions(label_column=config.label_column))
    except InputError as error:
        return Finding("data", False, str(error).rstrip("."))
    return Finding(
        "data", True, f"{len(data)} {data.kind} of shape {data.sample_shape}; no run.toml says what is expected"
    )


def _policy(config: SiteConfig, run: AnyConfig | None) -> Finding:
    try:
        policy = load_policy(config.policy, run.method if run else "fedlpa")
    except InputError as error:
        return Finding("policy", False, str(error).rstrip("."))
    if run is None:
        return Finding("policy", True, f"{config.policy} can be used")
    contract = get_method(run.method).contract(run, Deployment())
    found = shortcomings(policy, contract)
    need = sum(
        4 * _count(spec.shape) for record in contract.records if record.required for spec in record.arrays.values()
    )
    if need > policy.max_bytes_per_round:
        found.append(f"the weights alone have {need} bytes, max-bytes-per-round is {policy.max_bytes_per_round}")
    support = run.flat().get("min-support")
    counts = any(record.counted for record in contract.records)
    if counts and isinstance(support, int) and policy.min_samples > support:
        found.append(f"categories of {support} samples may be sent (min-support), min-samples is {policy.min_samples}")
    if found:
        return Finding("policy", False, f"{config.policy} is stricter than the run: {'; '.join(found)}")
    return Finding("policy", True, f"{config.policy} lets out what the run needs")


def _count(shape: tuple[int | None, ...]) -> int:
    total = 1
    for size in shape:
        total *= size or 0
    return total
