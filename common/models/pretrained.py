"""Pretrained image backbones: transformers models from a local folder or a hub name, identified by their weights.

Only safetensors files are read, never pickles, and no code that comes with a model is run.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from common.data.kind_registry import own_models
from common.errors import InputError, nearest

if TYPE_CHECKING:
    from common.config import RunConfig

HUB = "hf:"
FOLDER_OF_BACKBONES = "FEDLPA_BACKBONES"
"""Environment variable: a folder in which a backbone is looked up by the last part of its name first."""

_FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
_RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}
_HALF = (0.5, 0.5, 0.5)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLASS_TOKENS = {"cls_token", "class_embedding"}
_WITH_IDLE_POOLER = {"vit", "deit"}  # their pooler is a layer that self-supervised checkpoints do not hold


@dataclass(frozen=True)
class Preprocessing:
    """How pixels in [0, 1] become the backbone's input: size ``(height, width)``, mean and std by channel."""

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resampling: str


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A backbone as it was loaded: on the CPU, in evaluation mode, nothing trainable; never changed.

    ``blocks`` is the name of its outermost list of blocks, None if it has none. ``fingerprint`` is a hash of its
    weights and preprocessing.
    """

    source: str
    model: nn.Module
    preprocessing: Preprocessing
    patch: int
    native_size: tuple[int, int] | None
    width: int
    blocks: str | None
    fingerprint: str

    def __deepcopy__(self, memo: dict[int, Any]) -> "Pretrained":
        return self

    @property
    def channels(self) -> int:
        """Channels of an image that it takes."""
        return len(self.preprocessing.mean)


def is_pretrained(model: str) -> bool:
    """Whether a ``model`` setting names a pretrained backbone rather than one of the application's own networks.

    Raises:
        InputError: it is neither.
    """
    own = own_models()
    if model in own:
        return False
    if model.startswith(HUB) or "/" in model or os.sep in model or Path(model).is_dir():
        return True
    raise InputError(
        f"unknown model '{model}'; {nearest(model, own)} A pretrained backbone is given as a folder or as "
        f"{HUB}<name on the hub>."
    )


def with_backbone(config: "RunConfig", base: Path | None = None) -> "RunConfig":
    """The configuration with its backbone settled: an absolute folder and the hash of what is in it.

    Args:
        base: the folder that a relative path starts from; None: the current one.

    Raises:
        InputError: there is no such backbone, or it is not the one of ``backbone-hash``.
    """
    if not is_pretrained(config.model):
        return config
    model = config.model
    if not model.startswith(HUB):
        model = str(((base or Path.cwd()) / Path(model).expanduser()).absolute())
    loaded = load_backbone(model, config.backbone_hash)
    return config.but(model=model, backbone_hash=loaded.fingerprint)


def load_backbone(model: str, expected: str = "") -> Pretrained:
    """The backbone that a ``model`` setting names; loaded once in a process.

    Args:
        expected: its fingerprint; empty: any will do.

    Raises:
        InputError: transformers is not installed, there is no such backbone or it cannot be used, or it is another.
    """
    folder = _locate(model)
    files = sorted(path for pattern in _FILES for path in folder.glob(pattern))
    stamps = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    loaded = _load(folder, model, stamps)
    if expected and loaded.fingerprint != expected:
        raise InputError(
            f"{_shown(model, folder)} is another backbone than the run's (hash {loaded.fingerprint[:12]} of weights "
            f"and preprocessing, expected {expected[:12]}); get the same files as the others."
        )
    return loaded


def _locate(model: str) -> Path:
    """The folder that holds the backbone, downloaded if a hub name is given and it is not there yet."""
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
    _import_transformers()
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    options: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(_FILES)}
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


def _import_transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            f"pretrained backbones need the package transformers ({error}); install it with "
            "pip install 'fedlpa[backbones]'."
        ) from None
    return transformers


@lru_cache(maxsize=2)
def _load(folder: Path, model: str, stamps: tuple[tuple[str, int, int], ...]) -> Pretrained:
    """Load, probe and hash; ``stamps`` make a changed folder another one."""
    shown = _shown(model, folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").exists():
        raise InputError(f"{shown} is not a model (config.json is missing); give a folder that transformers saved.")
    if not weights:
        raise InputError(
            f"{shown} holds no *.safetensors file; pickled weights are never loaded, so convert them with "
            "save_pretrained of transformers where you trust their source."
        )
    transformers = _import_transformers()
    with _quiet(transformers), torch.random.fork_rng(devices=[]):
        network = _from_folder(transformers, folder, shown)
    told: Any = network.config
    preprocessing, native = _read_preprocessing(folder, told, model, shown)
    network.requires_grad_(False)
    network.eval()
    patch = told.patch_size if isinstance(getattr(told, "patch_size", None), int) else 1
    return Pretrained(
        source=model,
        model=network,
        preprocessing=preprocessing,
        patch=patch,
        native_size=native,
        width=_probe(network, preprocessing, native, shown),
        blocks=_outermost_list(network),
        fingerprint=_fingerprint(weights, preprocessing, shown),
    )


def _from_folder(transformers: Any, folder: Path, shown: str) -> nn.Module:
    strict: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **strict)
        if config.model_type in _WITH_IDLE_POOLER:
            strict["add_pooling_layer"] = False
        loaded, report = transformers.AutoModel.from_pretrained(
            folder, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **strict
        )
    except Exception as error:  # transformers raises nearly anything on folders it does not like
        reason = str(error).strip().splitlines() or [""]
        raise InputError(
            f"{shown} cannot be loaded as a model ({type(error).__name__}: {reason[0]}); copy it again or give another."
        ) from error
    absent = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if absent:
        raise InputError(
            f"{shown} lacks {len(absent)} tensors of a {type(loaded).__name__}, such as {absent[0]}; copy it again or "
            "give another."
        )
    assert isinstance(loaded, nn.Module)
    return loaded


def pool(network: nn.Module, pixels: Tensor, native: tuple[int, int] | None) -> Tensor:
    """One feature an image: the model's own pooled output, else its class token, else the mean; ``[n, width]``.

    Pooled output and class token are taken after the final norm.
    """
    extra = {}
    if native not in (None, pixels.shape[-2:]) and _type_of(network) in _WITH_IDLE_POOLER:
        extra["interpolate_pos_encoding"] = True
    found = network(pixel_values=pixels, **extra)
    pooled: Tensor | None = getattr(found, "pooler_output", None)
    if pooled is not None:
        return pooled.flatten(1)
    hidden: Tensor = found.last_hidden_state
    if hidden.ndim == 4:
        return hidden.mean(dim=(2, 3))
    return hidden[:, 0] if _has_class_token(network) else hidden.mean(dim=1)


def _has_class_token(network: nn.Module) -> bool:
    return any(name.rpartition(".")[2] in _CLASS_TOKENS for name, _ in network.named_parameters())


def _type_of(network: nn.Module) -> str:
    return str(getattr(network.config, "model_type", ""))


def _probe(network: nn.Module, preprocessing: Preprocessing, native: tuple[int, int] | None, shown: str) -> int:
    """The width of its features, found by showing it one image."""
    image = torch.zeros(1, len(preprocessing.mean), *(native or preprocessing.size))
    try:
        with torch.no_grad():
            features = pool(network, image, native)
    except Exception as error:  # any model of any architecture may be in the folder
        raise InputError(
            f"{shown} holds a {type(network).__name__}, which gives no features for images alone "
            f"({type(error).__name__}); give an image model such as ViT or DINOv2."
        ) from error
    return int(features.shape[1])


def _outermost_list(network: nn.Module) -> str | None:
    lists = [(name.count("."), -len(part), name) for name, part in network.named_modules() if _is_list(part)]
    return min(lists)[2] if lists else None


def _is_list(module: nn.Module) -> bool:
    return isinstance(module, nn.ModuleList) and len(module) > 0


def _read_preprocessing(folder: Path, told: Any, name: str, shown: str) -> tuple[Preprocessing, tuple[int, int] | None]:
    """From ``preprocessor_config.json``, the rest from the model's own configuration; and its native size."""
    path = folder / "preprocessor_config.json"
    try:
        given = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        native = _size(getattr(told, "image_size", None))
        dino = "dino" in f"{told.model_type} {name}".lower()
        mean = given.get("image_mean") or (_IMAGENET_MEAN if dino else _HALF)
        std = given.get("image_std") or (_IMAGENET_STD if dino else _HALF)
        channels = int(getattr(told, "num_channels", None) or len(mean))
        if given.get("do_normalize") is False:
            mean, std = (0.0,) * channels, (1.0,) * channels
        preprocessing = Preprocessing(
            size=_size(given.get("crop_size")) or _size(given.get("size")) or native or (224, 224),
            mean=_by_channel(mean, channels),
            std=_by_channel(std, channels),
            resampling=_RESAMPLING.get(int(given.get("resample", 2)), "bilinear"),
        )
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{shown}: {path.name} cannot be used ({error}); copy it again or remove it.") from None
    return preprocessing, native


def _size(value: Any) -> tuple[int, int] | None:
    """``(height, width)`` of what configurations write: 224, [224, 224], {height, width} or {shortest_edge}."""
    if isinstance(value, dict):
        value = [value["height"], value["width"]] if "height" in value else value.get("shortest_edge")
    if value is None:
        return None
    height, width = value if isinstance(value, (list, tuple)) else (value, value)
    if not 1 <= int(height) <= 4096 or not 1 <= int(width) <= 4096:
        raise ValueError(f"image size {value}")
    return int(height), int(width)


def _by_channel(values: Any, channels: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) == channels:
        return numbers
    return (sum(numbers) / len(numbers),) * channels


def _fingerprint(files: list[Path], preprocessing: Preprocessing, shown: str) -> str:
    """Hash of every tensor by name, whatever files they lie in, and of the preprocessing."""
    from safetensors import SafetensorError, safe_open

    digest = hashlib.sha256(json.dumps([preprocessing.__dict__], sort_keys=True).encode())
    try:
        where: dict[str, Path] = {}
        for path in files:
            with safe_open(path, framework="pt") as file:
                where |= dict.fromkeys(file.keys(), path)
        opened = {path: safe_open(path, framework="pt") for path in files}
        for name in sorted(where):
            tensor: Tensor = opened[where[name]].get_tensor(name)  # type: ignore[no-untyped-call]
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{shown} is damaged ({error}); copy it again.") from None
    return digest.hexdigest()


def _shown(model: str, folder: Path) -> str:
    """How messages call it: the setting, and where it was found if that is elsewhere."""
    return model if str(folder) == model else f"{model} (in {folder})"


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No bars and tables of transformers in the middle of a run's own output."""
    logger = transformers.logging
    level, bars = logger.get_verbosity(), logger.is_progress_bar_enabled()
    logger.set_verbosity_error()
    logger.disable_progress_bar()
    try:
        yield
    finally:
        logger.set_verbosity(level)
        if bars:
            logger.enable_progress_bar()
