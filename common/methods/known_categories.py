"""What the methods that must be told K, the number of categories, have in common (docs/evaluation.md#baselines)."""

from typing import Literal

from pydantic import Field

from common.errors import InputError
from common.methods.option_groups import TrainingOptions
from common.settings import RunConfig


class KnownCategoriesOptions(TrainingOptions):
    """K, and training as GCD and SimGCD published it, where that carries over to small models."""

    categories: int | None = Field(None, ge=1, le=1024, description="K; unset: told from the truth (simulation only)")
    positives: Literal["neighbours", "views"] = "views"
    supervised_weight: float = Field(0.35, ge=0, le=1)
    contrastive_temperature: float = Field(1.0, gt=0, le=10)


def number_of_categories(config: RunConfig[KnownCategoriesOptions]) -> int:
    """K: as configured, or the true number where a simulation knows it.

    Raises:
        InputError: K is neither given nor known, or smaller than the number of seen classes.
    """
    told = config.options.categories or len(config.classes)
    if not told:
        raise InputError(f"method {config.method} must be told the number of categories; give --set categories=K.")
    if told < len(config.seen_classes):
        raise InputError(
            f"setting categories={told} is smaller than the {len(config.seen_classes)} seen classes; raise it."
        )
    return told
