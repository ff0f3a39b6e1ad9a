"""A run on real sites: the ServerApp's side of ``fedlpa run``, which talks to it through the run's folder."""

from pathlib import Path

from flwr.serverapp import Grid

from common.config import load_config
from common.errors import InputError, RunFailedError
from common.files import write_json
from common.locks import hold_lock, is_locked
from common.place import Deployment
from common.run.run_files import RunFiles
from server_app.run import run

FAILED = "failed.json"
"""Why the round loop gave up. Without it, a run that ended early died, and may be tried again."""
STATUS = "status.json"
"""What the run is waiting for, in one sentence."""
LOCK = ".run.lock"


def run_deployed(grid: Grid, folder: Path) -> None:
    """Go on with the run whose ``config.json`` is in ``folder`` and write the run's files there.

    Raises:
        InputError, RunFailedError: it cannot go on; ``failed.json`` says so too.
    """
    files = RunFiles(folder)
    try:
        # A ServerApp that the SuperLink has given up on may live on for a moment: wait until it is gone.
        with hold_lock(folder / LOCK, wait=True):
            run(
                grid,
                load_config(files.config),
                files,
                Deployment(),
                watch=lambda record: None,
                say=lambda sentence: write_json(folder / STATUS, {"message": sentence}),
            )
    except (InputError, RunFailedError) as error:
        kind = "input" if isinstance(error, InputError) else "run"
        write_json(folder / FAILED, {"kind": kind, "message": str(error)})
        raise


def is_running(folder: Path) -> bool:
    """Whether a ServerApp works on ``folder`` at this moment."""
    return is_locked(folder / LOCK)
