"""The application as one bundle (Flower's FAB), made of the installed packages, and the hash it is known by.

The hash covers every Python file of the application by name and content, and nothing else: it is the same for
every build of the same source, wherever it was built.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("client_app", "common", "fedlpa", "server_app")
MOST_BYTES = 64 * 2**20

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
fab-include = ["client_app/**/*.py", "common/**/*.py", "fedlpa/**/*.py", "server_app/**/*.py"]

[tool.flwr.app.components]
serverapp = "server_app.app:app"
clientapp = "client_app.app:app"

[tool.flwr.app.config]
run-folder = ""
"""


def installed_files() -> dict[str, bytes]:
    """Every Python file of the installed application, by its path from the packages' root."""
    files: dict[str, bytes] = {}
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in sorted(root.rglob("*.py")):
            files[f"{package}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return files


def app_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents, in hexadecimal."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def installed_hash() -> str:
    """The hash of the installed application."""
    return app_hash(installed_files())


def bundle_hash(bundle: bytes) -> str:
    """The hash of the Python files in a bundle, wherever in it they lie; nothing of it is run or unpacked to disk.

    Raises:
        ValueError: not a readable bundle.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            names = archive.namelist()
            if len(set(names)) != len(names):
                raise ValueError("the bundle names a file twice")
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError("the bundle is too large")
            return app_hash({name: archive.read(name) for name in names if name.endswith(".py")})
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"the bundle cannot be read ({type(error).__name__})") from error


def build_bundle() -> bytes:
    """The installed application as a FAB, ready to be submitted."""
    from flwr.cli.build import build_fab_from_files

    from fedlpa import __version__

    files: dict[str, bytes | Path] = {"pyproject.toml": _PYPROJECT.format(version=__version__).encode()}
    files |= installed_files()
    bundle, _ = build_fab_from_files(files)
    return bundle
