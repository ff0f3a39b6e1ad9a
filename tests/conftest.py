"""Fixtures that all tests share."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Several processes on few cores: idle threads of one would spin in the way of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from common.run.run_files import RunFiles
    from common.settings import AnyConfig


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
def small_federation(tmp_path: Path) -> "Callable[..., tuple[AnyConfig, RunFiles]]":
    """Makes a run folder with a few digits spread over three sites; returns its configuration and its files."""
    from common.config import make_config
    from common.run.run_files import RunFiles
    from server_app.methods import server_method

    def prepare(folder: str = "run", overwrite: bool = False, **settings: object) -> "tuple[AnyConfig, RunFiles]":
        given = {"rows": 120, "clients": 3, "alpha": 50, "rounds": 5, "threads": 1, "tensorboard": False}
        given |= {name.replace("_", "-"): value for name, value in settings.items()}
        files = RunFiles(tmp_path / folder)
        config = make_config(given)
        return server_method(config).lay_out(config, files, overwrite), files

    return prepare


@pytest.fixture(scope="session")
def make_backbone() -> Callable[..., Path]:
    """Saves a model of 2 blocks, 32 wide, for images of 32 pixels in patches of 8; returns its folder."""
    transformers = pytest.importorskip("transformers", reason="the extra 'backbones' is not installed")
    import torch

    def make(
        folder: Path,
        kind: str = "vit",
        seed: int = 0,
        preprocessor: dict[str, object] | None = None,
        **more: object,
    ) -> Path:
        config_type, model_type = {
            "vit": (transformers.ViTConfig, transformers.ViTModel),
            "dinov2": (transformers.Dinov2Config, transformers.Dinov2Model),
            "dinov3": (transformers.DINOv3ViTConfig, transformers.DINOv3ViTModel),
        }[kind]
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model_type(config_type(**sizes, image_size=32, patch_size=8, **more)).save_pretrained(folder)
        if preprocessor is not None:
            (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
        return folder

    return make
