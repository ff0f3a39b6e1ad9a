"""From text to settings: flags, ``--set``, ``run.toml``, ``config.json``, Flower's run config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError, nearest
from common.methods.registry import all_methods, get_method
from common.place import Place, Simulation
from common.settings import AnyConfig, Owner, RunConfig, build_config, kebab, settings_of

METHOD = str(RunConfig.model_fields["method"].default)
"""The method where none is named."""


def make_config(settings: Mapping[str, object]) -> AnyConfig:
    """Check flat settings and build the configuration.

    Args:
        settings: kebab-case keys; values as text (from ``--set``) or typed (from JSON, TOML, Flower).

    Raises:
        InputError: an unknown key or method, or a value of the wrong type or out of range.
    """
    method = get_method(str(settings.get("method", METHOD)))
    known = {key for key, _, _ in settings_of(method.options)}
    for key in settings:
        if key not in known:
            raise InputError(_unknown_key(key, method.name, known))
    return build_config(method.options, {**method.defaults, **settings})


def from_json(text: str) -> AnyConfig:
    """The configuration that ``RunConfig.to_json`` wrote."""
    return make_config(json.loads(text))


@dataclass(frozen=True)
class Setting:
    """One setting as people read of it."""

    key: str
    default: str
    description: str
    owner: Owner


ELSEWHERE = {
    "data": "each site's site.toml names its own",
    "local-clip-norm": "each site's policy.yaml has its own",
    "local-noise-multiplier": "each site's policy.yaml has its own",
}
"""Where a real site says what only a simulation's settings say for all."""


def check_place(settings: Mapping[str, object], place: Place, source: Path | str) -> None:
    """Refuse ``settings``, as given in ``source``, that are not the run's to set where sites are institutions.

    Raises:
        InputError: a setting of a simulation, or one that is each site's own; or a method that pools all data.
    """
    if isinstance(place, Simulation):
        return
    method = get_method(str(settings.get("method", METHOD)))
    if method.pooled:
        raise InputError(f"method '{method.name}' in {source} pools all data, so it is for simulations only.")
    for key, _, owner in settings_of(method.options):
        if key not in settings or owner is Owner.RUN:
            continue
        if owner is Owner.SITE:
            raise InputError(f"setting '{key}' in {source} is each site's own; set it in the sites' site.toml.")
        raise InputError(f"setting '{key}' in {source} is for simulations only; {ELSEWHERE.get(key, 'leave it out')}.")


def describe_settings(method: str) -> list[Setting]:
    """Every setting of ``method``, shared ones first.

    Raises:
        InputError: there is no such method.
    """
    spec, rows = get_method(method), []
    for key, field, owner in settings_of(spec.options):
        default = spec.defaults.get(key, field.default)
        shown = ",".join(default) if isinstance(default, tuple) else str(default).lower()
        description = f"one of {', '.join(all_methods())}" if key == "method" else field.description or ""
        rows.append(Setting(key, shown, description, owner))
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


def load_config(path: Path) -> AnyConfig:
    """Read a run's ``config.json``.

    Raises:
        InputError: the file is missing or is not a configuration of this version.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the folder of a run.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a configuration ({error}); restore it or rerun.") from None
    if not isinstance(settings, dict):
        raise InputError(f"{path} does not hold a configuration; restore it or rerun.")
    return make_config(settings)


def _unknown_key(key: str, method: str, known: set[str]) -> str:
    owners = [
        other.name
        for other in all_methods().values()
        if other.name != method and key in {kebab(name) for name in other.options.model_fields}
    ]
    if owners:
        return f"setting '{key}' belongs to method {' and '.join(owners)}, not to {method}; leave it out."
    listed = f"'fedlpa settings --method {method}' lists all."
    return f"unknown setting '{key}'; {nearest(key, known, listed)}"
