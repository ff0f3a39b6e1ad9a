"""Base of all settings objects: frozen, strict about unknown keys, kebab-case outside and underscores inside."""

from pydantic import BaseModel, ConfigDict


def kebab(name: str) -> str:
    """``batch_size`` -> ``batch-size``: keys are written with hyphens, attributes with underscores."""
    return name.replace("_", "-")


class Options(BaseModel):
    """Frozen, strict about unknown keys, read and written with kebab-case keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=kebab, populate_by_name=True, allow_inf_nan=False
    )
