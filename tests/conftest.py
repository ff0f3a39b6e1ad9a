"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets, which the project does not ship."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FEDLPA_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"the shared data sets are not in {folder}; set FEDLPA_SHARED_DATA")
    return folder
