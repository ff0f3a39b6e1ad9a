"""Where the files of a pretrained backbone are: a folder, the site's own folder of them, or the hub."""

import os
import re
from pathlib import Path
from typing import Any

from common.errors import InputError

HUB = "hf:"
FOLDER_OF_BACKBONES = "FEDLPA_BACKBONES"
"""Environment variable: a folder in which a backbone is looked up by the last part of its name first."""
FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
"""All that is read or downloaded of one."""


def locate_backbone(model: str) -> Path:
    """The folder that holds the backbone, downloaded if a hub name is given and it is not there yet.

    Raises:
        InputError: there is none, or it cannot be had.
    """
    own = os.environ.get(FOLDER_OF_BACKBONES)
    last = model.removeprefix(HUB).partition("@")[0].rstrip("/").rpartition("/")[2]
    if own and last not in ("", ".", "..") and (Path(own) / last).is_dir():
        return Path(own) / last
    if model.startswith(HUB):
        return _from_hub(model.removeprefix(HUB))
    folder = Path(model).expanduser()
    if not folder.is_dir():
        hint = f"for a model of the hub write {HUB}{model}" if re.fullmatch(r"[\w.-]+/[\w.-]+", model) else "correct it"
        raise InputError(
            f"the model folder {model} does not exist; {hint}, or set {FOLDER_OF_BACKBONES} to the folder it lies in."
        )
    return folder


def _from_hub(name: str) -> Path:
    repository, _, revision = name.partition("@")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository):
        raise InputError(f"'{HUB}{name}' names no model of the hub; write for example {HUB}facebook/dinov2-small.")
    import_transformers()
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    options: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(FILES)}
    try:
        cached = Path(snapshot_download(repository, local_files_only=True, **options))
        if (cached / "config.json").exists() and any(cached.glob("*.safetensors")):
            return cached
    except Exception:  # noqa: BLE001 - not here yet, in one of several ways; the download says what is wrong
        pass
    try:
        return Path(snapshot_download(repository, **options))
    except Exception as error:  # the hub's client raises its own, the network's and the disk's errors
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"the model '{repository}' cannot be had from the hub ({type(error).__name__}: {reason[0]}); check the "
            "name and the connection, or give a folder."
        ) from error


def import_transformers() -> Any:
    """The package, which is an extra; InputError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            f"pretrained backbones need the package transformers ({error}); install it with "
            "pip install 'fedlpa[backbones]'."
        ) from None
    return transformers


def shown_name(model: str, folder: Path) -> str:
    """How messages call it: the setting, and where it was found if that is elsewhere."""
    return model if str(folder) == model else f"{model} (in {folder})"
