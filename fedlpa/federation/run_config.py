"""``run.toml``: what to run and where the server is."""

from dataclasses import dataclass
from pathlib import Path

from common.config import check_place, make_config
from common.errors import InputError
from common.methods.registry import get_method
from common.place import Deployment
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
    given = {**settings, **(assigned or {})}
    try:
        config = make_config({**given, "data": ""})
    except InputError as error:
        raise InputError(f"{error} (settings of {path}, where it can be mended too)") from None
    check_place(settings, Deployment(), path)
    check_place({"method": config.method, **(assigned or {})}, Deployment(), "--set")
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
    from common.models import with_backbone

    config = with_backbone(config, path.parent)
    # Whatever does not fit is refused before anything runs: a model, a K, noise that would not hold.
    check_noise(config, get_method(config.method).contract(config, Deployment()))
    return RunOrder(config, server)
