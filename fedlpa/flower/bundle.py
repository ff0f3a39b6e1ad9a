"""The application as one bundle (Flower's FAB), made of the installed packages, as ``fedlpa run`` submits it.

It holds what the ServerApp runs, and whatever a site pins, so that the site can compute the hash from it.
"""

from itertools import chain
from pathlib import Path

from fedlpa.flower.pin import is_pinned, package_files

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "fedlpa"
version = "{version}"
description = "Federated category discovery"
license = "Apache-2.0"
dependencies = ["flwr>=1.39,<1.40"]

[tool.flwr.app]
publisher = "fedlpa"

[tool.flwr.app.components]
serverapp = "server_app.app:app"
clientapp = "client_app.app:app"

[tool.flwr.app.config]
run-folder = ""
"""


def bundle_files() -> dict[str, bytes]:
    """The installed files that go into a bundle, by their paths from the packages' root."""
    site = {name: content for name, content in package_files("fedlpa") if is_pinned(name)}
    return dict(chain(*map(package_files, ("client_app", "common", "server_app")))) | site


def build_bundle() -> bytes:
    """The installed application as a FAB, ready to be submitted."""
    from flwr.cli.build import build_fab_from_files

    from fedlpa import __version__

    files: dict[str, bytes | Path] = {"pyproject.toml": _PYPROJECT.format(version=__version__).encode()}
    bundle, _ = build_fab_from_files(files | bundle_files())
    return bundle
