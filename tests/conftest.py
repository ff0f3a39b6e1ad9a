"""Fixtures that all tests share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from common.config import RunConfig
    from server_app.run_files import RunFiles


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets, which the project does not ship."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FEDLPA_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"the shared data sets are not in {folder}; set FEDLPA_SHARED_DATA")
    return folder


@pytest.fixture
def flower_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity that Flower gives a process: messages cannot be made without one."""
    from flwr.supercore.task_identity import TaskIdentity

    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


@pytest.fixture
def small_federation(tmp_path: Path) -> "Callable[..., tuple[RunConfig, RunFiles]]":
    """Makes a run folder with a few digits spread over three sites; returns its configuration and its files."""
    from common.config import make_config
    from server_app.run_files import RunFiles
    from server_app.simulation import prepare_simulation

    def prepare(folder: str = "run", overwrite: bool = False, **settings: object) -> "tuple[RunConfig, RunFiles]":
        given = {"rows": 120, "clients": 3, "alpha": 50, "rounds": 5, "threads": 1, "tensorboard": False}
        given |= {name.replace("_", "-"): value for name, value in settings.items()}
        files = RunFiles(tmp_path / folder)
        return prepare_simulation(make_config(given), files, overwrite=overwrite), files

    return prepare
