"""K for the methods that must be told it (docs/evaluation.md#baselines)."""

from common.errors import InputError
from common.settings import AnyConfig


def told_categories(config: AnyConfig, categories: int | None) -> int:
    """K: ``categories`` as configured, or the true number where a simulation knows it.

    Raises:
        InputError: K is neither given nor known, or smaller than the number of seen classes.
    """
    told = categories or len(config.classes)
    if not told:
        raise InputError(f"method {config.method} must be told the number of categories; give --set categories=K.")
    if told < len(config.seen_classes):
        raise InputError(
            f"setting categories={told} is smaller than the {len(config.seen_classes)} seen classes; raise it."
        )
    return told
