"""The configuration files that ``federation init`` writes, from ``templates``, with the comments people will read."""

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from client_app.site_config import Limits
from common.config import make_config
from common.methods.known_categories import KnownCategoriesOptions
from common.methods.registry import get_method
from common.place import Deployment
from common.settings import AnyConfig, Owner, SiteOptions, kebab, settings_of

if TYPE_CHECKING:
    from jinja2 import Environment

WRITTEN = frozenset(
    {
        *("method", "rounds", "seed", "kind", "sample-shape", "seen-classes", "data", "out"),
        *("min-clients", "round-timeout", "grace-period", "quorum-timeout", "outliers", "aggregation"),
    }
)
"""Settings that have a line of their own in ``run.toml``, or no place there."""


def server_toml(port: int, control_port: int) -> str:
    """``server/server.toml``."""
    return _templates().get_template("server.toml.j2").render(port=port, control_port=control_port)


def run_toml(config: AnyConfig, sites: int, *, at_site: bool) -> str:
    """``run.toml``, or the copy of it that a site gets for its preflight."""
    usual = make_config({"method": config.method})

    def chosen(name: str, default: object) -> object:
        value = getattr(config, name)
        return default if value == getattr(usual, name) else value

    defaults = usual.flat()
    left_out = WRITTEN | {key for key, _, owner in settings_of(type(config.options)) if owner is not Owner.RUN}
    others = [
        (key, value)
        for key, value in config.flat().items()
        if key not in left_out and value != defaults[key] and value is not None
    ]
    template = _templates().get_template("run.toml.j2")
    return template.render(config=config, sites=sites, at_site=at_site, chosen=chosen, others=others)


def site_toml(name: str, server: str, approved: str, approved_run: str, options: SiteOptions) -> str:
    """``sites/<name>/site.toml``; ``options`` that differ from the defaults are set in it."""
    usual = SiteOptions()
    own = [
        (kebab(key), value, value != getattr(usual, key))
        for key, value in options.model_dump(include=set(SiteOptions.model_fields)).items()
    ]
    limits = [(kebab(key), 12.0 if value is None else value) for key, value in Limits()]
    return (
        _templates()
        .get_template("site.toml.j2")
        .render(name=name, server=server, approved=approved, approved_run=approved_run, own=own, limits=limits)
    )


def policy_yaml(config: AnyConfig) -> str:
    """``sites/<name>/policy.yaml``: what the run's method sends, and nothing beside it."""
    records, others, metrics = _sent(config)
    template = _templates().get_template("policy.yaml.j2")
    return template.render(method=config.method, records=records, others=others, metrics=metrics)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("fedlpa.federation"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    made.filters["json"] = json.dumps
    return made


def _sent(config: AnyConfig) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Names of the usual records, of those that need a site's consent, and of the metrics."""
    contract = get_method(config.method).contract(_filled_in(config), Deployment()).at_institution()
    usual = [record.name for record in contract.records if not record.consent]
    others = [record.name for record in contract.records if record.consent]
    return usual, others, sorted(contract.metrics)


def _filled_in(config: AnyConfig) -> AnyConfig:
    """The configuration with what is missing of the data made up: names of records and metrics depend on none of it."""
    if config.kind and config.sample_shape and config.seen_classes:
        return config
    made_up: dict[str, object] = {"kind": "vectors" if get_method(config.method).embeds_samples else "graph"}
    made_up |= {"sample_shape": (1,), "seen_classes": ("a",), "model": "auto"}
    if isinstance(config.options, KnownCategoriesOptions):
        made_up["categories"] = config.options.categories or 1
    return config.but(**made_up)
