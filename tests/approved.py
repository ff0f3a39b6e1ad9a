"""A run that an institution of a test has approved: its ``run.toml``, and the line of ``site.toml`` that pins it."""

from pathlib import Path

from common.run_toml import read_run, terms_hash
from common.settings import AnyConfig
from fedlpa.federation.config_files import run_toml

RUN = "0123456789abcdef"
"""What the run is called."""


def approve_run(folder: Path, config: AnyConfig) -> str:
    """Write ``run.toml`` into ``folder``; returns the line that approves it."""
    (folder / "run.toml").write_text(run_toml(config, 1, at_site=True))
    assert terms_hash(read_run(folder / "run.toml").config) == terms_hash(config)
    return f'approved-run = "{terms_hash(config)}"\n'
