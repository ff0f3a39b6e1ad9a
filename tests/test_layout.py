"""How the four packages are laid out: who imports whom, what files are called, what crosses a room's door.

Every import statement counts, inside functions and for type checkers too.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("client_app", "common", "fedlpa", "server_app")
MAY_IMPORT = {
    "common": {"common"},
    "client_app": {"client_app", "common"},
    "server_app": {"server_app", "common"},
    "fedlpa": set(PACKAGES),
}

REPEATED = {"__init__", "__main__"}
IN_METHOD_ROOMS = {"delivery", "round", "server", "spec"}
"""Parts that several methods have, each in its room."""

KNOWS_A_METHOD = {
    ("fedlpa.site.site_commands", "client_app.methods.fedlog"): "'fedlpa site adapt' is a command of FedLoG's alone",
}
"""Exceptions: a module of shared machinery and the room that it imports, with the reason."""

CORRIDORS = (
    "client_app.method",
    "client_app.methods",
    "common.data.kind",
    "common.methods.method_spec",
    "common.methods.plan",
    "common.methods.registry",
    "common.place",
    "common.run.metrics",
    "common.run.record",
    "common.settings",
    "common.wire.contract",
    "common.wire.messages",
    "common.wire.records",
    "server_app.method",
    "server_app.methods",
)
OF_WHATEVER_METHOD = {"MethodSpec[Any]", "ClientMethod[Any]", "ServerMethod[Any]"}
"""``Any`` stands for the options of a method that is not known before the run's configuration is read."""
OF_DECLARED_TYPE = {"NDArray[Any]"}
"""``Any`` stands for the dtype, which the wire contract declares and both sides check."""
ALLOWED = OF_WHATEVER_METHOD | OF_DECLARED_TYPE


@cache
def sources() -> dict[str, Path]:
    """File of every module, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def names_imported(source: str) -> Iterator[str]:
    """Dotted names in a source's import statements: modules, or names in them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def imports() -> dict[str, frozenset[str]]:
    """The modules of the four packages that each of them imports."""

    def module_of(name: str) -> str:
        while name not in sources():
            name = name.rpartition(".")[0]
        return name

    return {
        module: frozenset(
            module_of(name)
            for name in names_imported(path.read_text(encoding="utf-8"))
            if name.split(".")[0] in PACKAGES
        )
        - {module}
        for module, path in sources().items()
    }


def find_circle(graph: dict[str, frozenset[str]]) -> list[str]:
    """Modules that import each other in a ring, the first again as the last; empty if there is no ring."""
    done: set[str] = set()

    def search(path: list[str]) -> list[str]:
        for other in sorted(graph[path[-1]] - done):
            if other in path:
                return [*path[path.index(other) :], other]
            if ring := search([*path, other]):
                return ring
        done.add(path[-1])
        return []

    return next((ring for module in sorted(graph) if (ring := search([module]))), [])


def test_no_circles() -> None:
    ring = find_circle(imports())
    steps = "\n".join(f"  {a} imports {b}" for a, b in pairwise(ring))
    assert not ring, f"modules import each other:\n{steps}\nMove what two of them need into a module that imports none."


def test_a_circle_is_found() -> None:
    graph = {"a": frozenset("b"), "b": frozenset("cd"), "c": frozenset(), "d": frozenset("b")}
    assert find_circle(graph) == ["b", "d", "b"]
    assert not find_circle({"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()})


def test_imports_are_absolute() -> None:
    relative = [
        f"{module}: line {node.lineno}"
        for module, path in sources().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, "write the whole name of the module, so that a search for it finds every import"


def test_packages_import_in_one_direction() -> None:
    found = [
        f"{module} imports {other}"
        for module, others in imports().items()
        for other in sorted(others)
        if other.split(".")[0] not in MAY_IMPORT[module.split(".")[0]]
    ]
    assert not found, (
        f"{found}: what both sides need goes to common; what one side needs of the other crosses as a message; "
        "fedlpa is on top of all three and nothing below knows it"
    )


@cache
def rooms() -> frozenset[str]:
    """Names of the methods' rooms: what the registry takes for one."""
    methods = "common.methods."
    shared = {module for module in sources() if module.startswith(methods) and module.count(".") == 2}
    return frozenset(m.removeprefix(methods) for m in shared if hasattr(import_module(m), "SPECS"))


def room_of(module: str) -> str:
    """The method's room that a module is in or is, as ``common.methods.fedlpa``; "" for shared machinery."""
    parts = module.split(".")
    return ".".join(parts[:3]) if parts[1:2] == ["methods"] and parts[2:] and parts[2] in rooms() else ""


def test_shared_machinery_knows_no_method() -> None:
    found = {
        (module, room_of(other))
        for module, others in imports().items()
        if not room_of(module)
        for other in others
        if room_of(other)
    }
    told = [f"{module} imports {room}" for module, room in sorted(found - KNOWS_A_METHOD.keys())]
    assert not told, (
        f"{told}: declare what is needed in MethodSpec, ClientMethod or ServerMethod and ask the registry, "
        "or move the code into the method's room"
    )
    assert not KNOWS_A_METHOD.keys() - found, "exceptions that are not needed any more; take them out"


def test_every_method_has_a_room_on_both_sides_and_nothing_else_is_there() -> None:
    for side in ("client_app.methods.", "server_app.methods."):
        found = {module.split(".")[2] for module in sources() if module.startswith(side)}
        assert found == rooms(), f"{side} what several methods use belongs outside of methods/"


def test_no_two_files_of_one_name() -> None:
    """Except where a name says that files are sides of one thing, or the same part of several methods."""
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for module, file in sources().items():
        path = PurePosixPath(file.relative_to(ROOT).as_posix())
        part_of_a_method = room_of(module) and path.stem in IN_METHOD_ROOMS
        below = "methods/*" if part_of_a_method else str(path.relative_to(path.parts[0]))
        if path.stem not in REPEATED:
            places[path.stem][below] = str(path)
    twice = [sorted(found.values()) for found in places.values() if len(found) > 1]
    assert not twice, f"{twice}: say in a name what sets the file apart, or put mirrors at one path below two packages"


def signatures(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Every type in the open: of public functions' parameters and results, fields, aliases; with the name it is of."""

    def within(name: str, body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
        for node in body:
            match node:
                case ast.FunctionDef(name=own) if not own.startswith("_") or own == "__init__":
                    given = node.args
                    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
                    for type_ in (*(a.annotation for a in every if a is not None), node.returns):
                        if type_ is not None:
                            yield f"{name}{own}", type_
                case ast.ClassDef(name=own) if not own.startswith("_"):
                    yield from ((f"{name}{own}", base) for base in node.bases)
                    yield from within(f"{name}{own}.", node.body)
                case ast.AnnAssign(target=ast.Name(id=own), annotation=type_) if not own.startswith("_"):
                    yield f"{name}{own}", type_
                case ast.Assign(targets=[ast.Name(id=own)], value=ast.Subscript() | ast.BinOp() as type_):
                    yield f"{name}{own}", type_

    yield from within("", tree.body)


def untyped(type_: ast.expr) -> list[str]:
    """Parts of a type that say nothing: ``Any``, and a ``dict`` or ``Mapping`` of unsaid things."""
    if ast.unparse(type_) in ALLOWED:
        return []
    if isinstance(type_, ast.Constant) and isinstance(type_.value, str):
        return untyped(ast.parse(type_.value, mode="eval").body)
    if isinstance(type_, ast.Name | ast.Attribute):
        return [name for name in [ast.unparse(type_)] if name.split(".")[-1] in {"Any", "dict", "Mapping"}]
    inner = [node for node in ast.iter_child_nodes(type_) if isinstance(node, ast.expr)]
    if isinstance(type_, ast.Subscript):
        inner = [type_.slice]
    return [name for node in inner for name in untyped(node)]


def test_corridors_are_typed() -> None:
    found = [
        f"{module}: {name}: {ast.unparse(type_)}"
        for module in CORRIDORS
        for name, type_ in signatures(ast.parse(sources()[module].read_text(encoding="utf-8")))
        if untyped(type_)
    ]
    assert not found, f"{found}: say what crosses here, as a dataclass, a model, or a type with a name"


def test_what_says_nothing_is_found() -> None:
    told = {
        "def f(x: Any) -> None: ...": "f",
        "def f(*x: 'dict[str, Any]') -> None: ...": "f",
        "def f() -> dict: ...": "f",
        "class A:\n    def g(self, *, x: Mapping[str, Any]) -> None: ...": "A.g",
        "class A:\n    x: Callable[[int], Any] | None": "A.x",
        "Alias = Mapping[str, Any]": "Alias",
    }
    for source, name in told.items():
        assert [own for own, type_ in signatures(ast.parse(source)) if untyped(type_)] == [name], source
    for source in ("def f(x: MethodSpec[Any]) -> dict[str, NDArray[Any]]: ...", "def _f(x: Any) -> None: ..."):
        assert not [own for own, type_ in signatures(ast.parse(source)) if untyped(type_)], source
