"""Which application may run at a site, and which run: those whose hashes ``site.toml`` holds, and no others."""

import re
from dataclasses import dataclass
from pathlib import Path

from client_app.site_config import SiteConfig, load_site_config
from common.errors import InputError
from common.files import write_text
from common.run_toml import is_complete, read_run, terms_hash
from common.settings import AnyConfig
from fedlpa.flower.pin import bundle_hash, installed_hash

HOW = "read what changed, install that version, and run 'fedlpa site approve --config {}'"


def refusal(config: SiteConfig, running: str, bundle: bytes) -> str | None:
    """Why a message must not be worked on; None if the server's bundle, the code running here and the pin agree.

    Args:
        running: hash of the application that this process was started from.
        bundle: what the server sent; only read, never run.
    """
    how = HOW.format(config.source)
    if not config.approved_app:
        return f"no application is approved here; {how}"
    if running != config.approved_app:
        return f"the installed application {running} is not the approved one, {config.approved_app}; {how}"
    try:
        sent = bundle_hash(bundle)
    except ValueError as error:
        return f"the server's application cannot be read ({error}); the approved one is {config.approved_app}"
    if sent != config.approved_app:
        return f"the server's application {sent} is not the approved one, {config.approved_app}; {how}"
    return None


@dataclass(frozen=True)
class Approved:
    """What was approved before and is now: hashes of application and run; the run is None where there is none yet."""

    old_app: str
    app: str
    old_run: str
    run: AnyConfig | None
    run_hash: str


def approve(path: Path) -> Approved:
    """Pin the installed application, and the run that the site's ``run.toml`` describes, in its ``site.toml``.

    Without a ``run.toml`` that says what the data looks like only the application is pinned.

    Raises:
        InputError: the run cannot be approved, or ``site.toml`` cannot be changed; nothing is.
    """
    from client_app.approved_run import described_run

    config = load_site_config(path)
    app, run, run_hash = installed_hash(), None, config.approved_run
    if config.run.exists() and is_complete(read_run(config.run).config):
        run = described_run(config)
        run_hash = terms_hash(run)
    text = _pinned(path, path.read_text(encoding="utf-8"), "approved-app", app)
    if run is not None:
        text = _pinned(path, text, "approved-run", run_hash)
    write_text(path, text, path.stat().st_mode & 0o777)
    return Approved(config.approved_app, app, config.approved_run, run, run_hash)


def _pinned(path: Path, text: str, key: str, value: str) -> str:
    """The text of ``site.toml`` with another pin."""
    changed, count = re.subn(rf'(?m)^{key}\s*=\s*"[0-9a-f]*"', f'{key} = "{value}"', text)
    if count == 1:
        return changed
    if count == 0 and key == "approved-run":  # written by an earlier version
        return f'{text.rstrip()}\n{key} = "{value}"\n'
    raise InputError(f'{path} has no line {key} = "..."; add {key} = "{value}" to it.')
