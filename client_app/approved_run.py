"""The run that an institution approved: its ``run.toml``, pinned by hash as the application is.

The site works by what stands there. A message's own configuration is compared with it and otherwise ignored.
"""

from client_app.refusal import RefusedError
from client_app.site_config import SiteConfig
from common.config import from_json
from common.errors import InputError
from common.run_toml import differing_terms, is_complete, read_run, terms_hash
from common.settings import AnyConfig
from common.toml_file import beside

MOST_CONFIG = 2**20
"""Characters of a message's configuration that are read at all."""


def approved_run(site: SiteConfig) -> AnyConfig:
    """The run of the site's ``run.toml``, if it is the one that was approved.

    Raises:
        InputError: there is none, it is not complete, it was changed since, or it asks for more than the site's limits.
    """
    how = f"read {site.run} and run 'fedlpa site approve --config {site.source}'"
    if not site.approved_run:
        raise InputError(f"no run is approved here; {how}.")
    config = described_run(site)
    found = terms_hash(config)
    if found != site.approved_run:
        raise InputError(f"{site.run} is not the run that was approved ({site.approved_run[:12]}); {how}.")
    return config


def described_run(site: SiteConfig) -> AnyConfig:
    """The run of the site's ``run.toml``, approved or not.

    Raises:
        InputError: there is none, it is not complete, or it asks for more than the site's limits.
    """
    if not site.run.exists():
        raise InputError(f"{site.run} does not exist; get the run's description from the server's operator.")
    config = read_run(site.run).config
    if not is_complete(config):
        raise InputError(
            f"{site.run} does not say what the data looks like; get it filled in ('kind', 'sample-shape' and "
            "'seen-classes') from the server's operator."
        )
    config = _with_own_model(config, site)
    for fault in _beyond_limits(config, site):
        raise InputError(f"{site.run} {fault} in {site.source} to take part.")
    return config


def check_asked(text: str, approved: AnyConfig, site: SiteConfig) -> None:
    """Refuse a message whose configuration is not the approved run's.

    Raises:
        RefusedError: names the keys that differ, and how to approve.
    """
    if len(text) > MOST_CONFIG:
        raise RefusedError(f"the message's configuration has {len(text)} characters", "not-approved")
    try:
        keys = differing_terms(from_json(text), approved)
    except (InputError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedError(f"the message's configuration cannot be read ({error})", "not-approved") from None
    if keys:
        raise RefusedError(
            f"the server asks for a run that differs from the approved one in {', '.join(keys)}; if that is meant, get "
            f"its run.toml, put it in the place of {site.run}, read it, and run 'fedlpa site approve --config "
            f"{site.source}'",
            "not-approved",
        )


def _with_own_model(config: AnyConfig, site: SiteConfig) -> AnyConfig:
    """The configuration with the place of its pretrained model as on this machine; nothing is fetched.

    Raises:
        InputError: the description does not say which files the model consists of.
    """
    from common.models.backbone_files import HUB
    from common.models.pretrained import is_pretrained

    if not is_pretrained(config.model):
        return config
    if not config.backbone_hash:
        raise InputError(
            f"{site.run} names the pretrained model '{config.model}' without its backbone-hash, so any files could "
            "come under that name; get the hash from the server's operator."
        )
    return config if config.model.startswith(HUB) else config.but(model=str(beside(site.run, config.model)))


def _beyond_limits(config: AnyConfig, site: SiteConfig) -> list[str]:
    epochs = config.flat().get("local-epochs")
    sizes = {"image-size": config.image_size, "backbone-image-size": config.backbone_image_size}
    if config.kind == "images":
        sizes["sample-shape"] = max(config.sample_shape)
    found = []
    if isinstance(epochs, int) and epochs > site.max_epochs:
        found.append(f"asks for local-epochs={epochs}; raise max-epochs={site.max_epochs}")
    found += [
        f"asks for {key} of {size} pixels; raise max-image-size={site.max_image_size}"
        for key, size in sizes.items()
        if size is not None and size > site.max_image_size
    ]
    return found
