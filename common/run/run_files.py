"""The files of a run (docs/files.md#run-folder): configuration, a line a round, the checkpoint, the final metrics."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from common.config import load_config
from common.errors import InputError
from common.files import write_json, write_text
from common.run.checkpoint import read_checkpoint
from common.run.record import RoundRecord, read_lines, read_rounds
from common.settings import CONDUCT, AnyConfig

OWN_FILES = (
    "config.json",
    "rounds.jsonl",
    "metrics.json",
    "report.html",
    "checkpoint.safetensors",
    "run-name",
    "model",
    "tensorboard",
    "sites",
    "held-out",
    "partition",
)


class RunFiles:
    """One run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.json"
        self.rounds = folder / "rounds.jsonl"
        self.metrics = folder / "metrics.json"
        self.checkpoint = folder / "checkpoint.safetensors"
        self.model = folder / "model"
        self.sites = folder / "sites"
        self.partition = folder / "partition"
        self.held_out = folder / "held-out"
        self.tensorboard = folder / "tensorboard"

    def claim(self, config: AnyConfig, *, overwrite: bool) -> bool:
        """Make the folder this run's. Returns whether an interrupted run of the same configuration goes on.

        ``config`` holds what was found in the data, as ``config.json`` does: other classes make another run.

        Raises:
            InputError: the folder holds another run, or one that is finished, and ``overwrite`` is not set; or it
                holds something that is not a run; or it cannot be written; or its checkpoint is damaged.
        """
        if self.folder.is_file():
            raise InputError(f"{self.folder} is a file; give a folder with --out.")
        if self.config.exists() and not overwrite:
            if self.metrics.exists():
                raise InputError(
                    f"{self.folder} already holds a finished run; choose another --out or add --overwrite."
                )
            if _settings(load_config(self.config)) != _settings(config):
                raise InputError(
                    f"{self.folder} holds an unfinished run with other settings; choose another --out, repeat its "
                    "settings to resume it, or add --overwrite."
                )
            if self.checkpoint.exists():
                read_checkpoint(self.checkpoint)
                return True
            return False
        try:
            if self.config.exists():
                self._clear()
            elif self.folder.exists() and not all(_is_passing(path) for path in self.folder.iterdir()):
                raise InputError(f"{self.folder} is not empty and holds no run; choose another --out.")
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written ({error.strerror}); choose another --out.") from None
        return False

    def _clear(self) -> None:
        for name in OWN_FILES:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def name(self) -> str:
        """A random name that the run keeps for as long as its folder lasts."""
        path = self.folder / "run-name"
        if not path.exists():
            write_text(path, secrets.token_hex(8))
        return path.read_text(encoding="utf-8")

    def write_config(self, config: AnyConfig) -> None:
        """Write ``config.json``: the whole resolved configuration."""
        write_json(self.config, config.flat())

    def history(self) -> list[RoundRecord]:
        """The rounds so far; a line cut short by a crash is left out."""
        return read_rounds(self.rounds)

    def keep_rounds(self, last: int) -> list[RoundRecord]:
        """Drop lines of rounds after ``last``, which a resumed run does again, and checkpoints that were cut short."""
        for part in self.folder.glob(f".{self.checkpoint.name}.*.part"):
            part.unlink(missing_ok=True)
        kept = [(record, line) for record, line in read_lines(self.rounds) if record.round <= last]
        write_text(self.rounds, "".join(f"{line}\n" for _, line in kept))
        return [record for record, _ in kept]

    def add_round(self, record: RoundRecord) -> None:
        """Append a round's line and flush it."""
        with open(self.rounds, "a", encoding="utf-8") as file:
            file.write(record.to_line())
            file.flush()
            os.fsync(file.fileno())


def _is_passing(path: Path) -> bool:
    """Whether this is a lock or a half-written file of ours: what is left of a run that died before it began."""
    cut_short = path.name.startswith(".config.json.") and path.suffix == ".part"
    return cut_short or path.name in {".follow.lock", ".run.lock"}


def _settings(config: AnyConfig) -> dict[str, Any]:
    """What must agree for a run to be the same."""
    return {key: value for key, value in config.flat().items() if key not in CONDUCT}
