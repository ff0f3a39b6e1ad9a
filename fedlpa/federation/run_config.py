"""``run.toml`` on the server's machine: a run as it is asked for, complete and fit to be carried out."""

from pathlib import Path

from common.errors import InputError
from common.methods.registry import get_method
from common.place import Deployment
from common.privacy.accountant import check_noise
from common.run_toml import RunDescription, read_run


def load_run(path: Path, assigned: dict[str, str] | None = None) -> RunDescription:
    """Read a ``run.toml``; ``assigned`` settings win over the file's.

    Raises:
        InputError: missing, a setting that does not fit, or one that a deployment needs is not there.
    """
    path = path.absolute()
    order = read_run(path, assigned)
    config = order.config
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
    return RunDescription(config, order.server)
