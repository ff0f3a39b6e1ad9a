"""Which application may run at a site: the one whose hash ``site.toml`` holds, and no other."""

import re
from pathlib import Path

from client_app.site_config import SiteConfig, load_site_config
from common.errors import InputError
from common.files import write_text
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


def approve(path: Path) -> tuple[str, str]:
    """Pin the installed application in the ``site.toml`` at ``path``; returns the old and the new hash.

    Raises:
        InputError: the file has no line for the pin.
    """
    config = load_site_config(path)
    text = path.read_text(encoding="utf-8")
    found = installed_hash()
    changed, count = re.subn(r'(?m)^approved-app\s*=\s*"[0-9a-f]*"', f'approved-app = "{found}"', text)
    if count != 1:
        raise InputError(f'{path} has no line approved-app = "..."; add approved-app = "{found}" to it.')
    write_text(path, changed, path.stat().st_mode & 0o777)
    return config.approved_app, found
