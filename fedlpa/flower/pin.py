"""What a site pins: the hash of all files whose code a server's message can reach, and of nothing else.

The hash covers names and contents: it is the same for every build of the same source, wherever it was built.
docs/decisions/pinned-code.md says what is covered, what is not, and why.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

SUFFIXES = (".py", ".json", ".toml", ".yaml", ".yml")
"""Kinds of files that the packages may read at a site; a bundle of Flower's can carry all of them."""
SITE = ("fedlpa/__init__.py", "fedlpa/flower/", "fedlpa/liveness.py", "fedlpa/site/")
"""What of ``fedlpa`` a site's processes load; ``client_app`` and ``common`` are covered as a whole."""
SERVER = (
    "fedlpa/flower/bundle.py",
    "fedlpa/flower/control.py",
    "fedlpa/flower/patches/lost_messages.py",
    "fedlpa/flower/superlink.py",
)
"""Files of those rooms that only the server's processes load."""
LISTS = (".info/", "pyproject.toml")
"""Flower's own files in a bundle."""
MOST_BYTES = 64 * 2**20


def is_pinned(name: str) -> bool:
    """Whether the hash covers a file, by its path from the packages' root.

    What is neither the server's nor the operator's is covered, strange files in a bundle included.
    """
    if not name.endswith(SUFFIXES) or name.startswith(("server_app/", *LISTS)) or name in SERVER:
        return False
    return name.startswith(SITE) if name.startswith("fedlpa/") else True


def package_files(package: str) -> Iterator[tuple[str, bytes]]:
    """The files of an installed package that the hash could cover: path from the packages' root, content."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def app_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents of the pinned ones among ``files``, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(filter(is_pinned, files)):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def installed_hash() -> str:
    """The hash of what is installed here."""
    return app_hash(dict(chain(*map(package_files, ("client_app", "common", "fedlpa")))))


def bundle_hash(bundle: bytes) -> str:
    """The hash of the files in a bundle, wherever in it they lie; nothing of it is run or unpacked to disk.

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
            return app_hash({name: archive.read(name) for name in names if is_pinned(name)})
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"the bundle cannot be read ({type(error).__name__})") from error
