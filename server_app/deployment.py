"""A run on real sites: the ServerApp's side of ``fedlpa run``, which talks to it through the run's folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flwr.serverapp import Grid

from common.config import load_config
from common.errors import InputError, RunFailedError
from common.files import write_json
from common.run.run_files import RunFiles

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
    from server_app.app import run

    files = RunFiles(folder)
    try:
        with _alone(folder):
            run(
                grid,
                load_config(files.config),
                files,
                lambda record: None,
                simulated=False,
                say=lambda sentence: write_json(folder / STATUS, {"message": sentence}),
            )
    except (InputError, RunFailedError) as error:
        kind = "input" if isinstance(error, InputError) else "run"
        write_json(folder / FAILED, {"kind": kind, "message": str(error)})
        raise


def is_running(folder: Path) -> bool:
    """Whether a ServerApp works on ``folder`` at this moment; the kernel forgets its lock when it dies."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A ServerApp that the SuperLink has given up on may live on for a moment: wait until it is gone."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
