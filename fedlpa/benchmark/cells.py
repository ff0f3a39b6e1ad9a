"""Cells: the runs a benchmark consists of, each a ``fedlpa simulate`` of its own that is done once and then kept."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.config import make_config
from common.errors import InputError
from common.files import read_object
from common.run.metrics import RunMetrics
from common.settings import CONDUCT
from fedlpa.flower.processes import last_words

LONGEST = 6 * 3600.0
"""Seconds after which a cell is ended and counted as failed."""

Setting = bool | int | float | str | Sequence[str]
Settings = Mapping[str, Setting]
Label = str | int | float
Labels = Mapping[str, Label]
Command = Callable[["Cell", Path, bool], list[str]]


@dataclass(frozen=True)
class Cell:
    """One run. ``settings`` are those of ``fedlpa simulate``; ``labels`` say where it stands in the tables.

    ``cost`` is how long it takes in comparison with the other cells: the time left is reckoned by it.
    """

    name: str
    settings: Settings
    labels: Labels
    cost: float = 1.0


@dataclass(frozen=True)
class Result:
    """What became of a cell: run now, kept from an earlier call, or failed for the reason in ``error``."""

    cell: Cell
    status: Literal["done", "kept", "failed"]
    folder: Path
    metrics: RunMetrics | None = None
    error: str = ""


def simulate_command(cell: Cell, folder: Path, overwrite: bool) -> list[str]:
    """``fedlpa simulate`` with the cell's settings."""
    given = [part for assignment in assignments(cell.settings) for part in ("--set", assignment)]
    command = [sys.executable, "-P", "-m", "fedlpa", "simulate", *given, "--out", str(folder)]
    return [*command, "--overwrite"] if overwrite else command


def assignments(settings: Settings) -> list[str]:
    """Settings as ``--set`` takes them: ``["knn=15", "gate=false", "classes=a,b"]``."""
    return [f"{key}={_text(value)}" for key, value in settings.items()]


def run_cell(cell: Cell, root: Path, command: Command = simulate_command) -> Result:
    """Run a cell into ``root/<name>`` if it is not finished yet.

    A finished cell with the same settings is kept, an interrupted one goes on, one with other settings is run
    again. One that fails is reported, with its output in ``root/<name>.log``.

    Args:
        command: the command line for a cell, its folder, and whether what is there is to be replaced.
    """
    folder = root / cell.name
    same, finished = _same_settings(cell, folder), folder / "metrics.json"
    if same and (metrics := _metrics(finished)) is not None:
        return Result(cell, "kept", folder, metrics)
    if folder.exists() and not (folder / "config.json").exists():
        shutil.rmtree(folder)  # it died before it was a run
    log = folder.with_name(f"{folder.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    overwrite = folder.exists() and not (same and not finished.exists())
    status = _call(command(cell, folder, overwrite), log)
    if status == 0 and finished.exists():
        metrics = _metrics(finished)
        judged = "" if metrics else f"it ran, but cannot be judged ({finished} holds no metrics of a run)"
        return Result(cell, "done" if metrics else "failed", folder, metrics, judged)
    why = "it took too long" if status is None else f"exit status {status}"
    return Result(cell, "failed", folder, error=f"{why}: {last_words(log)} (see {log})")


def _same_settings(cell: Cell, folder: Path) -> bool:
    """Whether the run in ``folder`` was made with the settings that the cell has now, today's defaults included.

    What a run finds in its data, and settings that it did not know yet, say nothing.
    """
    try:
        written = read_object(folder / "config.json")
    except InputError:
        return False
    wanted = json.loads(make_config({**cell.settings, "out": ""}).to_json())
    telling = wanted.keys() & written.keys() - CONDUCT
    return bool(written) and all(wanted[key] in ("", []) or wanted[key] == written[key] for key in telling)


def _call(command: list[str], log: Path) -> int | None:
    """Run ``command`` with its output in ``log``; its exit status, None where it took too long.

    Whatever it started dies with it, also when we are interrupted.
    """
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    import psutil

    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _metrics(path: Path) -> RunMetrics | None:
    try:
        return RunMetrics.read(path)
    except InputError:
        return None


def _text(value: Setting) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ",".join(value)
