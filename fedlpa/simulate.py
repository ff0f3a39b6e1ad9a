"""``fedlpa simulate``: a whole federation on one machine, through Flower's simulation (Ray)."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import InputError, RunFailedError
from common.methods.registry import training_sites
from common.place import Simulation
from common.run.record import Watch
from common.run.run_files import RunFiles
from common.settings import AnyConfig


def simulate(
    config: AnyConfig,
    *,
    overwrite: bool = False,
    watch: Watch | None = None,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run the federation of ``config`` and leave the run's files in ``config.out``.

    Clients run in Ray worker processes, each with its own folder of private data. An interrupted run in the
    folder is resumed.

    Args:
        config: ``config.out`` must name a folder.
        overwrite: replace a finished or different run in the folder.
        watch: called with every round's record; None: silent.
        say: called with sentences on what is going on; None: silent.

    Returns:
        the run's metrics, as in ``metrics.json``.

    Raises:
        InputError: wrong settings or data; nothing is written.
        RunFailedError: the run broke off; its folder says how far it came.
    """
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    from server_app.methods import server_method

    files = RunFiles(Path(config.out))
    resolved = server_method(config).lay_out(config, files, overwrite)
    tell = say or (lambda sentence: None)
    tell(f"{training_sites(resolved)} sites prepared in {files.sites}; starting the workers")
    outcome: dict[str, Any] = {}
    _run_flower(resolved, files, watch or (lambda record: None), outcome)
    if "error" in outcome:
        error = outcome["error"]
        if isinstance(error, InputError | RunFailedError):
            raise error
        raise RunFailedError(f"the server failed with {type(error).__name__}: {error}") from error
    tell("writing the report")
    from fedlpa.report.write import write_report

    write_report(files.folder)
    metrics: dict[str, Any] = outcome["metrics"]
    return metrics


def _run_flower(config: AnyConfig, files: RunFiles, watch: Any, outcome: dict[str, Any]) -> None:
    """Run ServerApp and ClientApps; the result or the error lands in ``outcome``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from flwr.app import Context
        from flwr.serverapp import Grid, ServerApp
        from flwr.simulation import run_simulation

        from client_app.app import app as client_app
        from server_app.run import run

        server_app = ServerApp()

        @server_app.main()
        def main(grid: Grid, context: Context) -> None:
            try:
                outcome["metrics"] = run(grid, config, files, Simulation(files.sites.absolute()), watch).to_json()
            except Exception as error:  # noqa: BLE001 - Flower would print it and carry on; it is raised by the caller
                outcome["error"] = error

        with _quiet():
            run_simulation(
                server_app=server_app,
                client_app=client_app,
                num_supernodes=training_sites(config),
                backend_config=_backend(config),
            )


def _backend(config: AnyConfig) -> dict[str, Any]:
    """One worker a core; with CUDA the workers share the device."""
    import torch

    cores = os.cpu_count() or 1
    workers = max(1, min(cores // config.threads, training_sites(config)))
    gpu = 0.0
    if config.device != "cpu" and torch.cuda.is_available():
        gpu = torch.cuda.device_count() / workers
    return {
        "client_resources": {"num_cpus": max(1, cores // workers), "num_gpus": min(1.0, gpu)},
        "init_args": {
            "num_cpus": cores,
            "include_dashboard": False,
            "log_to_driver": False,
            "logging_level": logging.ERROR,
        },
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Flower's own log lines would tear the live view; errors still show."""
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        sys.stdout.flush()
