"""Pretrained image backbones: transformers models from a local folder or a hub name, identified by their weights.

Only safetensors files are read, never pickles, and no code that comes with a model is run.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from common.data.kind_registry import own_models
from common.errors import InputError, nearest
from common.models.backbone_files import FILES, HUB, import_transformers, locate_backbone, shown_name
from common.models.preprocessing import Preprocessing, read_preprocessing
from common.settings import O, RunConfig

_CLASS_TOKENS = {"cls_token", "class_embedding"}
_WITH_IDLE_POOLER = {"vit", "deit"}  # their pooler is a layer that self-supervised checkpoints do not hold


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


def with_backbone(config: RunConfig[O], base: Path | None = None) -> RunConfig[O]:
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
    folder = locate_backbone(model)
    files = sorted(path for pattern in FILES for path in folder.glob(pattern))
    stamps = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    loaded = _load(folder, model, stamps)
    if expected and loaded.fingerprint != expected:
        raise InputError(
            f"{shown_name(model, folder)} is another backbone than the run's (hash {loaded.fingerprint[:12]} of "
            f"weights and preprocessing, expected {expected[:12]}); get the same files as the others."
        )
    return loaded


@lru_cache(maxsize=2)
def _load(folder: Path, model: str, stamps: tuple[tuple[str, int, int], ...]) -> Pretrained:
    """Load, probe and hash; ``stamps`` make a changed folder another one."""
    shown = shown_name(model, folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").exists():
        raise InputError(f"{shown} is not a model (config.json is missing); give a folder that transformers saved.")
    if not weights:
        raise InputError(
            f"{shown} holds no *.safetensors file; pickled weights are never loaded, so convert them with "
            "save_pretrained of transformers where you trust their source."
        )
    transformers = import_transformers()
    with _quiet(transformers), torch.random.fork_rng(devices=[]):
        network = _from_folder(transformers, folder, shown)
    config: Any = network.config
    preprocessing, native = read_preprocessing(folder, config, model, shown)
    network.requires_grad_(False)
    network.eval()
    patch = config.patch_size if isinstance(getattr(config, "patch_size", None), int) else 1
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
    named = network.named_modules()
    lists = [(name.count("."), -len(m), name) for name, m in named if isinstance(m, nn.ModuleList) and len(m)]
    return min(lists)[2] if lists else None


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
