"""The pin covers what executes at a site, measured in processes, and nothing else."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fedlpa.flower import pin
from fedlpa.flower.bundle import build_bundle, bundle_files
from fedlpa.flower.pin import app_hash, bundle_hash, installed_hash, is_pinned

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("client_app", "common", "fedlpa", "server_app")

WORKER = """
import importlib, pkgutil
import fedlpa.flower.worker as worker
worker._import_ahead()
from client_app.app import app
import client_app, common
for package in (client_app, common):  # whatever a message may name
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""
SUPERNODE = """
import importlib, sys
from unittest import mock
program = importlib.import_module("flwr.supernode.cli.flower_supernode")
sys.argv = ["supernode", "1"]
monitor = "flwr.supercore.app_utils.start_parent_process_monitor"
with mock.patch.object(program, "flower_supernode"), mock.patch(monitor):
    from fedlpa.flower.supernode import main
    main()
    program.flower_supernode.assert_called_once()
"""
START = "import fedlpa.site.site_commands, fedlpa.site.start, fedlpa.site.check, fedlpa.site.approval"
TELL = """
import json, sys
packages = ("client_app", "common", "fedlpa", "server_app")
ours = [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] in packages]
print(json.dumps([module.__file__ for module in ours]))
"""


def source_files() -> dict[str, bytes]:
    """Everything in the four packages' folders, by path from the root."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths if "__pycache__" not in path.parts}


@pytest.mark.runs
@pytest.mark.parametrize("program", [WORKER, SUPERNODE, START], ids=["worker", "SuperNode", "site start"])
def test_whatever_of_ours_a_site_s_process_loads_is_pinned(program: str) -> None:
    told = subprocess.run(
        [sys.executable, "-P", "-c", program + TELL],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    files = [Path(file).relative_to(ROOT).as_posix() for file in json.loads(told.stdout.splitlines()[-1])]
    assert len(files) > 10
    assert [file for file in files if not is_pinned(file)] == []


def test_a_byte_counts_where_it_runs_at_a_site_and_nowhere_else() -> None:
    files = source_files()
    usual = app_hash(files)

    def changes(name: str) -> bool:
        changed = bytearray(files.get(name, b"x"))
        changed[-1] ^= 1
        return app_hash({**files, name: bytes(changed)}) != usual

    rooms = ("client_app/", "common/", "fedlpa/site/", "fedlpa/flower/")
    for name in files:
        at_site = name.startswith(rooms) or name in {"fedlpa/__init__.py", "fedlpa/liveness.py"}
        assert changes(name) == (at_site and name not in pin.SERVER), name
    for name in ("server_app/app.py", "fedlpa/report/build.py", "fedlpa/show/live.py", "fedlpa/cli.py"):
        assert name in files
        assert not changes(name)
    for name in ("client_app/new.py", "common/words.yaml", "fedlpa/site/page.json", "sitecustomize.py"):
        assert changes(name), f"{name} is new"


def test_the_lists_of_the_pin_name_what_there_is() -> None:
    files = source_files()
    for name in (*pin.SITE, *pin.SERVER):
        assert any(file.startswith(name) for file in files), name


def test_nothing_in_a_pinned_room_is_of_a_kind_that_the_hash_leaves_out() -> None:
    for name in source_files():
        if name.startswith(("client_app/", "common/", "fedlpa/site/", "fedlpa/flower/")):
            assert name.endswith(pin.SUFFIXES), name


def test_the_bundle_holds_what_the_server_runs_and_what_sites_pin() -> None:
    with zipfile.ZipFile(io.BytesIO(build_bundle())) as archive:
        names = set(archive.namelist())
    assert names - {"pyproject.toml", ".info/CONTENT"} == set(bundle_files())
    files = source_files()
    assert {name for name in files if name.startswith(("server_app/", "common/"))} <= names
    assert {name for name in files if is_pinned(name)} <= names
    assert not any(name.startswith(("fedlpa/report/", "fedlpa/benchmark/", "fedlpa/federation/")) for name in names)


@pytest.mark.runs
def test_flower_s_own_commands_build_a_bundle_that_sites_take() -> None:
    """``flwr run .`` and ``flwr build`` follow pyproject.toml."""
    from flwr.cli.build import build_fab_from_disk

    assert bundle_hash(build_fab_from_disk(ROOT)) == installed_hash() == bundle_hash(build_bundle())
