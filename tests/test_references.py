"""What code and documentation refer to is there: pages, anchors, files, functions, commands, settings."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "client_app", "common", "docker", "docs", "examples", "fedlpa", "server_app", "tests")
SUFFIXES = {".py", ".md", ".toml", ".yaml", ".j2", ".css"}

PAGE = re.compile(r"\bdocs/[\w./-]+?\.md(?:#[\w-]+)?")
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCE = re.compile(r"^\s*```.*?^\s*```\s*?$", re.DOTALL | re.MULTILINE)
CODE = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)(?::([A-Za-z_][\w.]*))?`")
"""A file or folder between backticks, and with a colon what is in it, as ``common/place.py:Simulation``."""
MADE_THERE = re.compile(r"^#+ `([\w/]+\.py)`$", re.MULTILINE)
"""A file that a page tells how to write."""
UNSEEN_BY_READERS = re.compile(r"METHODS(?:'| \d)|\bDESIGN\b")
"""Citations of texts that are not in the repository, by which the code was once written."""


def _files() -> list[Path]:
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    return sorted([*inside, *(path for path in ROOT.iterdir() if path.suffix in SUFFIXES)])


def _pages() -> list[Path]:
    return [path for path in _files() if path.suffix == ".md"]


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Slugs of the headings as GitHub makes them, and explicit ids."""
    text = page.read_text(encoding="utf-8")
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    slugs = {f"{slug}-{n}" if n else slug for slug, most in found.items() for n in range(most + 1)}
    return frozenset(slugs | set(re.findall(r'<a id="([^"]+)">', text)))


def references(path: Path) -> Iterator[tuple[str, Path, str]]:
    """What a file refers to inside the repository: as it is written, the file that it means, the anchor or ""."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
        for target in LINK.findall(text):
            if not re.match(r"[a-z]+:", target):
                place, _, anchor = target.partition("#")
                yield target, (path.parent / place).resolve() if place else path, anchor
        text = LINK.sub("", text)
    for target in PAGE.findall(text):
        place, _, anchor = target.partition("#")
        yield target, ROOT / place, anchor


def test_references_lead_somewhere() -> None:
    missing = [
        f"{_named(path)}: {written}"
        for path in _files()
        for written, target, anchor in references(path)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert not missing


def test_nothing_cites_what_a_reader_does_not_have() -> None:
    found = [path for path in _files() if UNSEEN_BY_READERS.search(path.read_text(encoding="utf-8"))]
    assert not [_named(path) for path in found]


def test_every_page_is_linked_from_another() -> None:
    linked = {target for page in _pages() for _, target, _ in references(page) if target != page}
    assert not [_named(page) for page in _pages() if page.is_relative_to(ROOT / "docs") and page not in linked]


def defines(path: Path, name: str) -> bool:
    """Whether a module has a function, class or variable; ``Class.method`` of a class, inherited ones left out."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        found: dict[str, list[ast.stmt]] = {}
        for node in body:
            match node:
                case ast.ClassDef(name=own, body=inner):
                    found[own] = inner
                case ast.FunctionDef(name=own) | ast.AnnAssign(target=ast.Name(id=own)):
                    found[own] = []
                case ast.Assign(targets=[ast.Name(id=own)]):
                    found[own] = []
        if part not in found:
            return False
        body = found[part]
    return True


@pytest.mark.parametrize("page", _pages(), ids=_named)
def test_files_and_functions_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for place, name in set(CODE.findall(text)):
        if place not in MADE_THERE.findall(text):
            assert (ROOT / place).exists(), place
            assert not name or defines(ROOT / place, name), f"{place}:{name}"


def _commands(page: Path) -> Iterator[str]:
    """``fedlpa ...`` in fenced blocks and between backticks; without what a shell would put in or do next."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = "\n".join(FENCE.findall(text))
    yield from re.findall(r"^[^#\n]*?\bfedlpa ([^#;|\n]+)", blocks, re.MULTILINE)
    yield from re.findall(r"`fedlpa ([^`]+)`", FENCE.sub("", text))


@pytest.mark.parametrize("page", _pages(), ids=_named)
def test_commands_and_settings_exist(page: Path) -> None:
    import click
    import typer

    from common.config import describe_settings
    from common.methods.registry import all_methods
    from fedlpa.cli import app

    settings = {setting.key for method in all_methods() for setting in describe_settings(method)}
    for written in _commands(page):
        words, command = shlex.split(written), typer.main.get_command(app)
        while isinstance(command, click.Group):
            assert words, written
            assert words[0] in command.commands, written
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert not {word for word in words if word.startswith("--")} - known, written
        for flag, value in pairwise(words):
            key = value.partition("=")[0]
            assert flag != "--set" or "$" in key or key in settings, written
