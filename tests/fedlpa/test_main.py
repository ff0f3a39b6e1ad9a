"""Foreign packages with the names of ours are named at start, as a real process shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fedlpa.__main__

ROOT = Path(__file__).resolve().parents[2]


def command(*first_on_path: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join(map(str, (*first_on_path, ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "fedlpa", "--help"],
        env={**os.environ, "PYTHONPATH": path}, cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.runs
@pytest.mark.parametrize(
    "file", ["common/__init__.py", "common.py", "client_app/__init__.py", "server_app/__init__.py"]
)
def test_a_foreign_package_of_our_names_is_named(file: str, tmp_path: Path) -> None:
    decoy = tmp_path / "lib" / file
    decoy.parent.mkdir(parents=True)
    decoy.write_text("raise ImportError('of no use to anybody')\n")
    foreign = decoy.parent if decoy.name == "__init__.py" else decoy
    name = foreign.stem
    told = command(tmp_path / "lib", cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr == (
        f"fedlpa: {foreign} is taken for fedlpa's own package '{name}', which is {ROOT / name}; start in another "
        "folder, or take that one off PYTHONPATH.\n"
    )
    assert command(cwd=tmp_path / "lib").returncode == 2, "the current folder comes first, too"


@pytest.mark.runs
def test_a_mere_folder_of_our_names_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    told = command(tmp_path, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "Usage:" in told.stdout


def test_an_installation_without_one_of_our_packages_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fedlpa.__main__, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        fedlpa.__main__.run()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"fedlpa: the package 'client_app' is missing in {ROOT}; install fedlpa again.\n"
