"""``run.toml``: what to run and where the server is."""

from dataclasses import dataclass
from pathlib import Path

from common.config import make_config
from common.errors import InputError
from common.methods.registry import get_method
from common.privacy.accountant import check_noise
from common.settings import AnyConfig
from common.toml_file import beside, read_toml

SERVER = "server"


@dataclass(frozen=True)
class RunOrder:
    """A run that somebody asks for: its configuration, and the ``server.toml`` of the server on this machine."""

    config: AnyConfig
    server: Path


def load_run(path: Path, assigned: dict[str, str] | None = None) -> RunOrder:
    """Read a ``run.toml``; ``assigned`` settings win over the file's.

    Raises:
        InputError: missing, a setting that does not fit, or one that a deployment needs is not there.
    """
    path = path.absolute()
    settings = read_toml(path)
    server = beside(path, str(settings.pop(SERVER, "server/server.toml")))
    try:
        config = make_config({**settings, "data": "", **(assigned or {})})
    except InputError as error:
        raise InputError(f"{error} (settings of {path}, where it can be mended too)") from None
    if config.data:
        raise InputError(f"setting 'data' in {path} has no place in a deployment; each site's site.toml names its own.")
    for name, value in (("kind", config.kind), ("sample-shape", config.sample_shape)):
        if not value:
            raise InputError(
                f"setting '{name}' is missing in {path}; 'fedlpa data check' at a site tells it, and data never "
                "reaches the server to be looked at."
            )
    if not config.seen_classes:
        raise InputError(
            f"setting 'seen-classes' is missing in {path}; list the names of all labelled classes of all sites."
        )
    if config.classes:
        raise InputError(f"setting 'classes' in {path} is for simulations only; leave it out.")
    if get_method(config.method).pooled:
        raise InputError(f"method '{config.method}' in {path} pools all data, so it is for simulations only.")
    if config.local_clip_norm is not None or config.local_noise_multiplier:
        raise InputError(
            f"settings 'local-clip-norm' and 'local-noise-multiplier' in {path} are for simulations only; each site's "
            "policy.yaml has its own."
        )
    for key, sites in (("held-out-sites", config.held_out_sites), ("unlabelled-sites", config.unlabelled_sites)):
        if sites:
            raise InputError(f"setting '{key}' in {path} is for simulations only; leave it out.")
    from common.models import with_backbone

    config = with_backbone(config, path.parent)
    # Whatever does not fit is refused before anything runs: a model, a K, noise that would not hold.
    check_noise(config, get_method(config.method).contract(config))
    return RunOrder(config, server)
