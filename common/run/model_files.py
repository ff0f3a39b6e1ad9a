"""The model of a run on disk: ``weights.safetensors`` and ``model.json``, all that ``fedlpa predict`` needs."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import make_config
from common.discovery.catalogue import Catalogue
from common.errors import InputError
from common.settings import AnyConfig

SCHEMA = 1
WEIGHTS = "weights.safetensors"
DESCRIPTION = "model.json"
CATALOGUE_PREFIX = "catalogue/"
PRIOR = "site/log-prior"


@dataclass(frozen=True)
class Model:
    """A run's final model: the configuration it was made with, its tensors, and its categories if they are shared.

    ``prior`` [K], log shares of the categories at one site, exists only in the model that stays at that site.
    """

    config: AnyConfig
    weights: dict[str, NDArray[np.float32]]
    catalogue: Catalogue | None
    prior: NDArray[np.float32] | None = None


def save_model(folder: Path, model: Model) -> None:
    """Write a model folder; an earlier one is replaced only when the new one is complete."""
    from safetensors.numpy import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        arrays: dict[str, NDArray[Any]] = dict(model.weights)
        if model.catalogue is not None:
            arrays |= {CATALOGUE_PREFIX + name: array for name, array in model.catalogue.arrays().items()}
        if model.prior is not None:
            arrays[PRIOR] = model.prior
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, building / WEIGHTS)
        (building / DESCRIPTION).write_text(json.dumps(_describe(model), indent=1) + "\n", encoding="utf-8")
        building.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def load_model(folder: Path) -> Model:
    """Read a model folder.

    Raises:
        InputError: missing, damaged, or written by another version of the application.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    description = folder / DESCRIPTION
    if not folder.is_dir():
        fault = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {fault}; give a run's model folder.")
    if not description.exists():
        hint = f"; did you mean {folder / 'model'}?" if (folder / "model" / DESCRIPTION).exists() else ""
        raise InputError(f"{folder} holds no model ({DESCRIPTION} is missing); give a run's model folder{hint}")
    try:
        told = json.loads(description.read_text(encoding="utf-8"))
        schema = told.get("schema") if isinstance(told, dict) else None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise InputError(f"{description} cannot be read as JSON; copy the model folder again.") from None
    if schema != SCHEMA:
        raise InputError(
            f"{folder} was written by another version (model schema {schema}, this version reads {SCHEMA}); "
            "use the version that wrote it, or train again."
        )
    try:
        config = make_config(told["config"])
        arrays = load_file(folder / WEIGHTS)
        held = [name for name in arrays if name.startswith(CATALOGUE_PREFIX)]
        parts = {name.removeprefix(CATALOGUE_PREFIX): arrays.pop(name) for name in held}
        catalogue = Catalogue.from_arrays(parts) if parts else None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder} is damaged ({error}); copy the model folder again.") from None
    prior = arrays.pop(PRIOR, None)
    return Model(config, arrays, catalogue, prior)


def _describe(model: Model) -> dict[str, Any]:
    config, catalogue = model.config, model.catalogue
    categories = []
    if catalogue is not None:
        categories = [
            {"name": name, "is_novel": seen < 0, "samples": count}
            for name, seen, count in zip(
                catalogue.labels(config.seen_classes),
                catalogue.names.tolist(),
                catalogue.counts.tolist(),
                strict=True,
            )
        ]
    return {
        "schema": SCHEMA,
        "application": "fedlpa",
        "method": config.method,
        "kind": config.kind,
        "sample_shape": list(config.sample_shape),
        "seen_classes": list(config.seen_classes),
        # The weights hold what was trained, not the pretrained backbone that they belong on top of.
        **({"backbone": {"model": config.model, "hash": config.backbone_hash}} if config.backbone_hash else {}),
        "categories": categories,
        "config": config.flat(),
    }
