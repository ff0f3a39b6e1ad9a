"""What a run is made with: the settings that all methods share, and on top of them the method's own options.

Every setting says whose it is: the run's (the server sets it for all), the site's own, or a simulation's, which
plays the sites and knows the truth. The run's is the rule; the others are marked. Options that several methods share
stand in ``common/methods/option_groups.py`` and ``graph_common.py``; ``common/config.py`` makes settings of text and
refuses unknown keys.
"""

import json
import math
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializeAsAny, ValidationError, field_validator
from pydantic.fields import FieldInfo

from common.data.kind_registry import find_kind
from common.errors import InputError, nearest


class Owner(StrEnum):
    """Whose a setting is."""

    RUN = "run"
    SITE = "site"
    SIMULATION = "simulation"


SITE, SIMULATION = Owner.SITE, Owner.SIMULATION


def kebab(name: str) -> str:
    """``batch_size`` -> ``batch-size``: keys are written with hyphens, attributes with underscores."""
    return name.replace("_", "-")


class Options(BaseModel):
    """Frozen, strict about unknown keys, read and written with kebab-case keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=kebab, populate_by_name=True, allow_inf_nan=False
    )


O = TypeVar("O", bound=Options)  # noqa: E741 - the options of one method
O_co = TypeVar("O_co", bound=Options, covariant=True)


class SiteOptions(Options):
    """What only a site can know: a real one says it in ``site.toml``, a simulation's sites share the run's."""

    label_column: Annotated[str, SITE] = Field("label", min_length=1, description="the column that holds the labels")
    skip_bad_images: Annotated[bool, SITE] = Field(
        False, description="leave images out that do not decode, and count them"
    )
    holdout_fraction: Annotated[float, SITE] = Field(
        0.1, ge=0, lt=1, description="real sites: share of the labels that only measures the seen classes"
    )
    device: Annotated[str, SITE] = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto: CUDA where there is one"
    )
    threads: Annotated[int, SITE] = Field(1, ge=1, le=256, description="CPU threads of a client")


CONDUCT = frozenset(
    {
        *("out", "tensorboard", "device", "threads"),
        *("min-clients", "round-timeout", "grace-period", "quorum-timeout"),
    }
)
"""Keys that say where and how patiently a run is conducted, not what it is: with others it is the same run."""


OWN_KEYS = frozenset(kebab(name) for name in SiteOptions.model_fields)
"""Keys of a site's own settings; ``site.toml`` takes these, so no method can have others."""


class RunConfig(SiteOptions, Generic[O_co]):
    """The configuration of a run. ``options`` holds the method's own part; files and flags are flat."""

    method: str = Field("fedlpa", description="what is run: the method's name")
    data: Annotated[str, SIMULATION] = Field(
        "digits", description="'digits', or a path to a data set; the sites' own in a deployment"
    )
    rows: Annotated[int | None, SIMULATION] = Field(
        None, ge=1, description="use only this many rows, drawn at random with seed 0"
    )
    image_size: int | None = Field(None, ge=4, le=2048, description="resize images to this many pixels square")
    clients: Annotated[int, SIMULATION] = Field(5, ge=1, le=10_000)
    held_out_sites: Annotated[int, SIMULATION] = Field(
        0, ge=0, description="simulation only: that many of the clients, the last ones, take no part; see held-out/"
    )
    alpha: Annotated[float, SIMULATION] = Field(
        0.2, gt=0, le=1e6, description="Dirichlet concentration; smaller is more skewed"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1)
    rounds: int = Field(27, ge=1, le=100_000)
    seen_classes: tuple[str, ...] = Field((), description="classes with a name; empty: the first half, sorted")
    labelled_fraction: Annotated[float, SIMULATION] = Field(
        0.5, ge=0, le=1, description="share of the seen classes that is labelled"
    )
    unlabelled_sites: Annotated[int, SIMULATION] = Field(
        0, ge=0, description="simulation only: that many of the clients that train, the last ones, have no labels"
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
    min_clients: int = Field(1, ge=1, description="replies without which a round does not count")
    round_timeout: float = Field(3600.0, gt=0, description="seconds to wait for a round's replies")
    grace_period: float | None = Field(
        None, ge=0, description="seconds that stragglers get once min-clients have answered; unset: round-timeout"
    )
    quorum_timeout: float = Field(
        3600.0, ge=0, description="seconds without min-clients after which the run ends, its checkpoint kept"
    )
    outliers: Literal["screen", "report", "clip", "refuse", "ignore"] = Field(
        "screen",
        description="what becomes of an update whose norm is far outside the round's median; screen: clipped, and "
        "updates that point away from all others' are left out",
    )
    outlier_factor: float = Field(2.5, gt=1, description="how many times the median is far outside")
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
    local_clip_norm: Annotated[float | None, SIMULATION] = Field(
        None, gt=0, description="simulation only: clip-norm of every site; a real site's stands in its policy.yaml"
    )
    local_noise_multiplier: Annotated[float, SIMULATION] = Field(
        0.0, ge=0, description="simulation only: noise-multiplier of every site; a real site's is in its policy.yaml"
    )
    tensorboard: bool = True
    out: str = Field("", description="folder of the run's files")

    kind: str = Field("", description="found in the data")
    sample_shape: tuple[int, ...] = Field((), description="found in the data: shape of one sample")
    classes: Annotated[tuple[str, ...], SIMULATION] = Field(
        (), description="simulation only: all true classes, seen ones first"
    )

    options: SerializeAsAny[O_co] = Field(exclude=True)

    @field_validator("seen_classes", "classes", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("sample_shape", mode="before")
    @classmethod
    def _split_numbers(cls, value: object) -> object:
        return tuple(part for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return find_kind(value).name if value else value

    def flat(self) -> dict[str, JsonValue]:
        """All settings under flat kebab-case keys, as JSON values: what ``config.json`` holds."""
        own = self.model_dump(by_alias=True, mode="json")
        return {**own, **self.options.model_dump(by_alias=True, mode="json")}

    def to_json(self) -> str:
        """The whole configuration as a JSON text."""
        return json.dumps(self.flat(), allow_nan=False)

    def at_site(self, own: SiteOptions) -> Self:
        """The same run as one institution works on it, whatever the run says: its own settings, and no simulation's."""
        options = self.options.model_copy(update=_no_simulation(type(self.options)))
        return self.model_copy(update={**_no_simulation(RunConfig), **dict(own), "data": "", "options": options})

    def but(self, **changes: object) -> Self:
        """A copy with other values (attribute names), checked again.

        Raises:
            InputError: a value that does not fit.
        """
        changed = build_config(type(self.options), {**self.flat(), **{kebab(k): v for k, v in changes.items()}})
        return self.model_copy(update=dict(changed))


AnyConfig = RunConfig[Options]
"""The configuration of whatever method."""


def build_config(options: type[O], values: Mapping[str, object]) -> RunConfig[O]:
    """The configuration with flat kebab-case ``values``, whose keys are all known.

    Raises:
        InputError: a value of the wrong type or out of range.
    """
    values = {key: _from_text(value) for key, value in values.items()}
    own = {kebab(name) for name in options.model_fields}
    try:
        made = options.model_validate({key: value for key, value in values.items() if key in own})
        shared = {key: value for key, value in values.items() if key not in own}
        return RunConfig[O].model_validate({**shared, "options": made})
    except ValidationError as error:
        raise InputError(_invalid_value(error, values)) from None


def _no_simulation(model: type[Options]) -> dict[str, object]:
    """The defaults of what only a simulation sets in ``model``, by attribute name."""
    return {name: field.default for name, field in model.model_fields.items() if owner_of(field) is SIMULATION}


def owner_of(field: FieldInfo) -> Owner:
    """Whose a setting is, by its mark; the run's without one."""
    return next((mark for mark in field.metadata if isinstance(mark, Owner)), Owner.RUN)


def settings_of(options: type[Options]) -> Iterator[tuple[str, FieldInfo, Owner]]:
    """Key, field and owner of every setting of a method with ``options``, shared ones first."""
    for model in (RunConfig, options):
        for name, field in model.model_fields.items():
            if name != "options":
                yield kebab(name), field, owner_of(field)


def _from_text(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in {"none", "null"}:
        return None
    return value


def _invalid_value(error: ValidationError, values: Mapping[str, object]) -> str:
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
