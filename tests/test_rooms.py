"""Which room may import what, read from the source: imports inside functions and for type checkers count too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("client_app", "common", "fedlpa", "server_app")

FLOWER_PUBLIC = {"flwr.app", "flwr.clientapp", "flwr.serverapp", "flwr.simulation"}
FLOWER_PUBLIC_BELOW = "flwr.server.strategy."
FLOWER_ROOM = "fedlpa/flower/"


def imported(source: str) -> Iterator[str]:
    """Modules, or names in them, that a source imports by any kind of statement or by name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{name.name}" for name in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module" | "find_spec")
                | ast.Attribute(attr="import_module" | "find_spec"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield module


def modules() -> Iterator[tuple[str, str]]:
    """Path from the root and source of every module."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def is_flower_internal(name: str) -> bool:
    """Whether a name is Flower's (or of gRPC, which only Flower's transport needs) and not of its public API."""
    if name.split(".")[0] == "grpc":
        return True
    if name.split(".")[0] != "flwr":
        return False
    return not (name.rpartition(".")[0] in FLOWER_PUBLIC or name.startswith(FLOWER_PUBLIC_BELOW))


def test_flower_seam() -> None:
    """One room knows Flower's internals, so that one folder changes on the day of a move to another version."""
    found = [
        f"{path}: {name}"
        for path, source in modules()
        if not path.startswith(FLOWER_ROOM)
        for name in imported(source)
        if is_flower_internal(name)
    ]
    assert not found


def test_the_seam_is_seen() -> None:
    """Each of these would be found."""
    sources = (
        "from flwr.clientapp.typing import ClientAppCallable",
        "if TYPE_CHECKING:\n    from flwr.supercore.control import ControlHttpClient",
        "def f():\n    import flwr.proto.fleet_pb2 as fleet",
        "import flwr",
        "from flwr import supercore",
        "import importlib\nimportlib.import_module('flwr.common')",
        "import grpc",
    )
    for source in sources:
        assert any(is_flower_internal(name) for name in imported(source)), source
    allowed = "from flwr.app import Message\nfrom flwr.server.strategy.aggregate import aggregate_krum"
    assert not any(is_flower_internal(name) for name in imported(allowed))


def test_the_page_on_flower_names_the_internals_that_are_used() -> None:
    """The list of what has to be looked at on the day of a move."""
    page = (ROOT / "docs" / "decisions" / "flower-1.39.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (.*?) \|", page, re.MULTILINE)
    listed = {(f"{FLOWER_ROOM}{file}", name) for file, names in rows for name in re.findall(r"`([\w.]+)`", names)}
    used = {
        (path, name)
        for path, source in modules()
        if path.startswith(FLOWER_ROOM)
        for name in imported(source)
        if is_flower_internal(name)
    }
    uses = {
        (file, name): {use for use in used if use[0] == file and f"{use[1]}.".startswith(f"{name}.")}
        for file, name in listed
    }
    assert set().union(*uses.values()) == used
    assert all(uses.values())


def test_what_runs_at_a_site_imports_only_what_a_site_has_pinned() -> None:
    """So that no path through the code, however rare, leads out of the pin."""
    from fedlpa.flower.pin import is_pinned

    def file_of(name: str) -> str:
        while name:
            for path in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"):
                if (ROOT / path).is_file():
                    return path
            name = name.rpartition(".")[0]
        raise AssertionError(name)

    found = [
        f"{path}: {name}"
        for path, source in modules()
        if is_pinned(path)
        for name in imported(source)
        if name.split(".")[0] in PACKAGES and not is_pinned(file_of(name))
    ]
    assert not found


def test_every_patch_says_why_it_is_there_and_when_it_goes() -> None:
    patches = [path for path, _ in modules() if path.startswith("fedlpa/flower/patches/") and "__init__" not in path]
    assert len(patches) >= 3
    for path in patches:
        told = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
        assert "Seen in Flower 1." in told, path
        assert "\nDelete when: " in told, path


def test_flower_is_changed_in_patches_only() -> None:
    """An assignment to an attribute of something imported from Flower is a patch."""
    for path, source in modules():
        if path.startswith("fedlpa/flower/patches/"):
            continue
        tree = ast.parse(source)
        foreign = {
            name.asname or name.name.split(".")[0]
            for node in ast.walk(tree)
            if (isinstance(node, ast.Import) and any(name.name.startswith("flwr") for name in node.names))
            or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flwr"))
            for name in node.names
        }
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    assert target.value.id not in foreign, f"{path}: {ast.unparse(node)}"
