"""One frozen object holds a run's configuration, whatever it came from: flags, ``--set``, Flower's run config."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from common.data.kind_registry import find_kind
from common.errors import InputError, nearest
from common.methods.registry import METHODS, get_method
from common.settings import Options, kebab


class RunConfig(Options):
    """The configuration of a run. ``options`` holds the method's own part; files and flags are flat."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=kebab, populate_by_name=True, allow_inf_nan=False
    )

    method: str = Field("fedlpa", description=f"one of {', '.join(METHODS)}")
    data: str = Field("digits", description="'digits', or a path to a data set; the sites' own in a deployment")
    label_column: str = Field("label", min_length=1)
    rows: int | None = Field(None, ge=1, description="use only this many rows, drawn at random with seed 0")
    image_size: int | None = Field(None, ge=4, le=2048, description="resize images to this many pixels square")
    skip_bad_images: bool = Field(False, description="leave images out that do not decode, and count them")
    clients: int = Field(5, ge=1, le=10_000)
    held_out_sites: int = Field(
        0, ge=0, description="simulation only: that many of the clients, the last ones, take no part; see held-out/"
    )
    alpha: float = Field(0.2, gt=0, le=1e6, description="Dirichlet concentration; smaller is more skewed")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    rounds: int = Field(27, ge=1, le=100_000)
    seen_classes: tuple[str, ...] = Field((), description="classes with a name; empty: the first half, sorted")
    labelled_fraction: float = Field(0.5, ge=0, le=1, description="share of the seen classes that is labelled")
    unlabelled_sites: int = Field(
        0, ge=0, description="simulation only: that many of the clients that train, the last ones, have no labels"
    )
    holdout_fraction: float = Field(
        0.1, ge=0, lt=1, description="real sites: share of the labels that only measures the seen classes"
    )
    model: str = Field(
        "auto", description="auto, convnet (images), adapter (vectors), the folder of a pretrained model, hf:<hub name>"
    )
    trainable_blocks: int = Field(
        1, ge=0, le=1000, description="last blocks of a pretrained model that learn; 0: a residual on its features"
    )
    backbone_image_size: int | None = Field(
        None, ge=4, le=2048, description="pixels square that a pretrained model gets; unset: its own size"
    )
    backbone_hash: str = Field(
        "", pattern="^([0-9a-f]{64})?$", description="found in the pretrained model: its weights and preprocessing"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto: CUDA where there is one")
    threads: int = Field(1, ge=1, le=256, description="CPU threads of a client")
    min_clients: int = Field(1, ge=1, description="replies without which a round does not count")
    round_timeout: float = Field(3600.0, gt=0, description="seconds to wait for a round's replies")
    grace_period: float | None = Field(
        None, ge=0, description="seconds that stragglers get once min-clients have answered; unset: round-timeout"
    )
    quorum_timeout: float = Field(
        3600.0, ge=0, description="seconds without min-clients after which the run ends, its checkpoint kept"
    )
    outliers: Literal["report", "clip", "refuse", "ignore"] = Field(
        "report", description="what becomes of an update whose norm is far outside the round's median"
    )
    outlier_factor: float = Field(5.0, gt=1, description="how many times the median is far outside")
    aggregation: Literal["mean", "median", "trimmed-mean", "multi-krum"] = Field(
        "mean", description="how updates are joined; all but the mean hold a round's updates in memory"
    )
    malicious_clients: int = Field(1, ge=0, description="how many bad updates the robust aggregations allow for")
    central_clip_norm: float | None = Field(
        None, gt=0, description="L2 norm that the server clips every update of the weights to"
    )
    central_noise_multiplier: float = Field(
        0.0, ge=0, description="noise on the sum of the clipped updates, in units of central-clip-norm"
    )
    local_clip_norm: float | None = Field(
        None, gt=0, description="simulation only: clip-norm of every site; a real site's stands in its policy.yaml"
    )
    local_noise_multiplier: float = Field(
        0.0, ge=0, description="simulation only: noise-multiplier of every site; a real site's is in its policy.yaml"
    )
    tensorboard: bool = True
    out: str = Field("", description="folder of the run's files")

    kind: str = Field("", description="found in the data")
    sample_shape: tuple[int, ...] = Field((), description="found in the data: shape of one sample")
    classes: tuple[str, ...] = Field((), description="simulation only: all true classes, seen ones first")

    options: SerializeAsAny[Options] = Field(default_factory=Options, exclude=True)

    @field_validator("seen_classes", "classes", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("sample_shape", mode="before")
    @classmethod
    def _split_numbers(cls, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return find_kind(value).name if value else value

    @property
    def training_sites(self) -> int:
        """How many sites of a simulation train: without the held-out ones; one where the method pools all data."""
        return 1 if get_method(self.method).pooled else self.clients - self.held_out_sites

    def flat(self) -> dict[str, Any]:
        """All settings under flat kebab-case keys, as JSON values: what ``config.json`` holds."""
        own = self.model_dump(by_alias=True, mode="json")
        return {**own, **self.options.model_dump(by_alias=True, mode="json")}

    def to_json(self) -> str:
        """The whole configuration as a JSON text; ``from_json`` reads it back."""
        return json.dumps(self.flat(), allow_nan=False)

    def but(self, **changes: Any) -> "RunConfig":
        """A copy with other values (attribute names), checked again."""
        return make_config({**self.flat(), **{kebab(name): value for name, value in changes.items()}})


def make_config(settings: Mapping[str, Any]) -> RunConfig:
    """Check flat settings and build the configuration.

    Args:
        settings: kebab-case keys; values as text (from ``--set``) or typed (from JSON, TOML, Flower).

    Raises:
        InputError: an unknown key or method, or a value of the wrong type or out of range.
    """
    method = get_method(str(settings.get("method", RunConfig.model_fields["method"].default)))
    shared = {kebab(name) for name in RunConfig.model_fields if name != "options"}
    own = {kebab(name) for name in method.options.model_fields}
    for key in settings:
        if key not in shared | own:
            raise InputError(_unknown_key(key, method.name, shared | own))
    values = {key: _from_text(value) for key, value in {**method.defaults, **settings}.items()}
    try:
        options = method.options.model_validate({k: v for k, v in values.items() if k in own})
        config = RunConfig.model_validate({k: v for k, v in values.items() if k in shared})
    except ValidationError as error:
        raise InputError(_invalid_value(error, values)) from None
    return config.model_copy(update={"options": options})


def from_json(text: str) -> RunConfig:
    """The configuration that ``RunConfig.to_json`` wrote."""
    return make_config(json.loads(text))


def describe_settings(method: str) -> list[tuple[str, str, str]]:
    """Key, default and description of every setting of ``method``, shared ones first.

    Raises:
        InputError: there is no such method.
    """
    rows = []
    for options in (RunConfig, get_method(method).options):
        for name, info in options.model_fields.items():
            if name != "options":
                default = get_method(method).defaults.get(kebab(name), info.default)
                shown = ",".join(default) if isinstance(default, tuple) else str(default).lower()
                rows.append((kebab(name), shown, info.description or ""))
    return rows


def parse_assignments(assignments: list[str]) -> dict[str, str]:
    """``["knn=15", "prior=uniform"]`` -> ``{"knn": "15", "prior": "uniform"}``.

    Raises:
        InputError: an entry without ``=``, or a key given twice.
    """
    settings: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        key = key.strip().replace("_", "-")
        if not equals or not key:
            raise InputError(f"--set {assignment!r} is not of the form key=value; write for example --set knn=15.")
        if key in settings:
            raise InputError(f"--set {key} is given twice; keep one of them.")
        settings[key] = value.strip()
    return settings


def load_config(path: Path) -> RunConfig:
    """Read a run's ``config.json``.

    Raises:
        InputError: the file is missing or is not a configuration of this version.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the folder of a run.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as a configuration ({error}); restore it or rerun.") from None
    if not isinstance(settings, dict):
        raise InputError(f"{path} does not hold a configuration; restore it or rerun.")
    return make_config(settings)


def _from_text(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in {"none", "null"}:
        return None
    return value


def _unknown_key(key: str, method: str, known: set[str]) -> str:
    owners = [
        other.name
        for other in METHODS.values()
        if other.name != method and key in {kebab(name) for name in other.options.model_fields}
    ]
    if owners:
        return f"setting '{key}' belongs to method {' and '.join(owners)}, not to {method}; leave it out."
    listed = f"'fedlpa settings --method {method}' lists all."
    return f"unknown setting '{key}'; {nearest(key, known, listed)}"


def _invalid_value(error: ValidationError, values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    key = kebab(str(first["loc"][0]))
    value = values.get(key)
    shown = "nan" if isinstance(value, float) and math.isnan(value) else value
    message = str(first["msg"])
    allowed = first.get("ctx", {}).get("expected") if first["type"] == "literal_error" else None
    if allowed:
        names = [part.strip("' ") for part in str(allowed).replace(" or ", ", ").split(",")]
        return f"setting {key}={shown} is not one of {', '.join(names)}; {nearest(str(shown), names)}"
    lowered = message[0].lower() + message[1:]
    return f"setting {key}={shown} is not valid: {lowered}; give another value with --set {key}=..."
