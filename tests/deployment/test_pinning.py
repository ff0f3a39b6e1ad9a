"""A server that sends another application: nothing of it runs at any site, and the run ends with the reason."""

import hashlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from federation import Federation, wait_for

from fedlpa.federation.server_config import load_server_config
from fedlpa.flower.bundle import _PYPROJECT, build_bundle
from fedlpa.flower.control import RunState, control, state, submit
from fedlpa.flower.pin import app_hash, bundle_hash, installed_hash

Files = dict[str, bytes]


def evil(files: Files, marker: Path) -> Files:
    """A ClientApp that writes a file when it is imported."""
    code = f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n".encode()
    return {**files, "client_app/app.py": code + files["client_app/app.py"]}


def without_guard(files: Files, marker: Path) -> Files:
    """Ours, without the guard."""
    assert b"mods=[guard]" in files["client_app/app.py"]
    return {**files, "client_app/app.py": files["client_app/app.py"].replace(b"mods=[guard]", b"mods=[]")}


def one_byte_changed(files: Files, marker: Path) -> Files:
    """Ours, with one byte changed in a comment or a string."""
    changed = bytearray(files["common/errors.py"])
    changed[10] ^= 1
    return {**files, "common/errors.py": bytes(changed)}


def one_file_more(files: Files, marker: Path) -> Files:
    """Ours, and a module at the root that Python imports by itself."""
    return {**files, "sitecustomize.py": f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n".encode()}


@pytest.mark.parametrize("change", [evil, without_guard, one_byte_changed, one_file_more])
def test_nothing_of_another_application_runs(
    federation: Federation, tmp_path: Path, change: Callable[[Files, Path], Files]
) -> None:
    marker = tmp_path / "it-ran"
    files = {name.relative_to(federation.code).as_posix(): name.read_bytes() for name in federation.code.rglob("*.py")}
    bundle = make_bundle(change(files, marker))
    before = {site: audit_lines(federation, site) for site in federation.sites}
    out = tmp_path / "out"
    ended = submit_bundle(federation, bundle, out)
    assert not ended.ok
    assert "has not approved this run" in ended.detail
    asked = [site for site in federation.sites if (federation.state(site) / "site.log").exists()]
    assert len(asked) >= 2  # min-clients: the run does not wait for a site that is still connecting
    for site in asked:
        log = (federation.state(site) / "site.log").read_text()
        assert bundle_hash(bundle) in log
        assert app_hash(files) in log
        assert "fedlpa site approve" in log
        assert audit_lines(federation, site) == before[site]
        assert not list(federation.state(site).glob("flower/apps/*"))
    assert not marker.exists()


def test_an_agent_app_is_not_run(federation: Federation) -> None:
    """The only process that takes tasks from the SuperNode asks for ClientApp tasks."""
    import inspect

    from fedlpa.flower import worker
    from fedlpa.flower.supernode import supernode_arguments

    assert "supported_task_types=[TaskType.CLIENT_APP]" in inspect.getsource(worker)
    from client_app.site_config import load_site_config

    arguments = supernode_arguments(load_site_config(federation.site("site-0") / "site.toml"), 1)
    assert arguments[arguments.index("--isolation") + 1] == "process"
    assert federation.process("site-0", "flower-superexec") is None


def test_what_no_site_runs_may_change_without_the_sites(federation: Federation, tmp_path: Path) -> None:
    files = files_below(federation.code)
    for name in ("server_app/final_metrics.py", "fedlpa/report/build.py"):
        files[name] += b"# changed\n"
    del files["fedlpa/cli.py"]
    ended = submit_bundle(federation, make_bundle(files), tmp_path / "out")
    assert ended.ok, ended.detail
    assert (tmp_path / "out" / "metrics.json").exists()


def test_a_simulation_is_not_started_on_real_sites(federation: Federation) -> None:
    """A bundle that is submitted without the folder of a run, as ``flwr run`` does, would simulate."""
    server = load_server_config(federation.home / "server" / "server.toml")
    with control(server) as client:
        run = submit(client, build_bundle(), "")

    def ended() -> RunState | None:
        with control(server) as client:
            found = state(client, run)
        return found if found.status == "finished" else None

    found = wait_for(ended, 120, "the run to end")
    assert not found.ok
    assert "these are real sites; start the run with 'fedlpa run" in found.detail


def test_a_changed_installation_is_not_started(federation: Federation, tmp_path: Path) -> None:
    import shutil

    code = tmp_path / "code"
    shutil.copytree(federation.code, code)
    with open(code / "client_app" / "app.py", "a") as file:
        file.write("# changed\n")
    site = tmp_path / "site"
    shutil.copytree(federation.site("site-0"), site, ignore=shutil.ignore_patterns("state"))
    import subprocess

    def command(action: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-P", "-m", "fedlpa", "site", action, "--config", str(site / "site.toml")],
            env={**os.environ, "PYTHONPATH": str(code)}, cwd=tmp_path, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    told = command("start")
    assert told.returncode == 2
    assert "is not the one approved" in told.stderr
    assert "fedlpa site approve" in told.stderr
    approved = command("approve")
    assert approved.returncode == 0
    assert "approved application:" in approved.stdout
    assert f'approved-app = "{app_hash(files_below(code))}"' in (site / "site.toml").read_text()


def test_the_hash_does_not_depend_on_how_the_bundle_was_made() -> None:
    assert bundle_hash(build_bundle()) == installed_hash()


def test_an_unreadable_bundle_has_no_hash() -> None:
    for bundle in (b"", b"not a zip", make_bundle({"a.py": b""})[:-30]):
        with pytest.raises(ValueError, match="bundle"):
            bundle_hash(bundle)


def files_below(code: Path) -> Files:
    return {path.relative_to(code).as_posix(): path.read_bytes() for path in code.rglob("*.py")}


def make_bundle(files: Files) -> bytes:
    """A FAB of ``files``, made by hand as an attacker would."""
    buffer = io.BytesIO()
    everything = {"pyproject.toml": _PYPROJECT.format(version="0.1.0").encode(), **files}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in everything.items():
            archive.writestr(name, content)
        lines = [f"{name},{hashlib.sha256(data).hexdigest()},{8 * len(data)}" for name, data in everything.items()]
        archive.writestr(".info/CONTENT", "\n".join(lines))
    return buffer.getvalue()


def submit_bundle(federation: Federation, bundle: bytes, out: Path) -> RunState:
    """Submit a bundle as somebody who has taken over the server would; returns how the run ended."""
    from common.run.run_files import RunFiles
    from fedlpa.federation.run_config import load_run

    order = load_run(federation.home / "run.toml")
    out.mkdir()
    RunFiles(out).write_config(order.config.but(out=str(out)))
    server = load_server_config(order.server)

    def ended() -> RunState | None:
        with control(server) as client:
            found = state(client, run)
        return found if found.status == "finished" else None

    with control(server) as client:
        run = submit(client, bundle, str(out))
    return wait_for(ended, 120, "the run to end")


def audit_lines(federation: Federation, site: str) -> int:
    """How many answers left the site."""
    path = federation.state(site) / "audit.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(json.loads(line)["outcome"] in ("sent", "repeated") for line in lines)
