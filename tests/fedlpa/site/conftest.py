"""The folder of one institution, as ``federation init`` leaves it and the institution fills it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from client_app.site_config import SiteConfig, load_site_config
from fedlpa.flower.pin import installed_hash


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., SiteConfig]:
    """Writes ``site.toml`` and what it names; keywords change or add lines of it."""
    from fedlpa.federation.certificates import write_site_keys

    write_site_keys(tmp_path)
    (tmp_path / "site.key").chmod(0o600)

    def make(**lines: str) -> SiteConfig:
        given = {"name": "north", "server": "fl.example.org:9092", "data": "data.csv", "approved_app": installed_hash()}
        written = [f"{key.replace('_', '-')} = {json.dumps(value)}" for key, value in {**given, **lines}.items()]
        path = tmp_path / "site.toml"
        path.write_text("\n".join(written))
        return load_site_config(path)

    (tmp_path / "data.csv").write_text("a,b,label\n" + "".join(f"{i},{i % 7},{'xy'[i % 2]}\n" for i in range(30)))
    return make
