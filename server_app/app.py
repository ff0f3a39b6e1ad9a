"""The Flower ServerApp: what runs in the cloud."""

import json
import time
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.config import make_config, parse_assignments
from common.errors import InputError
from common.place import Simulation
from common.run.record import RoundRecord
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from server_app.deployment import run_deployed
from server_app.methods import server_method
from server_app.run import run

FLOWER_SIMULATION = "flwr-simulation"
"""Flower's name for a run whose nodes it makes up itself."""

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Entry point of Flower: ``fedlpa run`` names the folder of a run on real sites, ``flwr run`` simulates."""
    folder = str(context.run_config.get("run-folder", ""))
    if folder:
        run_deployed(grid, Path(folder))
    else:
        _simulate(grid, context)


def _simulate(grid: Grid, context: Context) -> None:
    """``flwr run``: the configuration comes from the run config, the data is split over the simulated nodes."""
    if not _is_simulation(grid):
        raise InputError("these are real sites; start the run with 'fedlpa run --config run.toml --out RUN'.")
    config = _run_config(context)
    out = Path(config.out or Path.home() / ".fedlpa" / "runs" / str(context.run_id))
    files = RunFiles(out)
    config = config.but(out=str(out), clients=_simulated_nodes(grid))
    config = server_method(config).lay_out(config, files, False)
    run(grid, config, files, Simulation(files.sites.absolute()), _print_round)


def _is_simulation(grid: Grid) -> bool:
    """What Flower itself started the run as; a call of its Python API, which only simulates, has no bundle."""
    return grid.run.primary_task_type == FLOWER_SIMULATION or not grid.run.fab_hash


def _run_config(context: Context) -> AnyConfig:
    """Flower knows a fixed set of keys; ``settings`` holds any other, as ``key=value`` parted by spaces."""
    given = dict(context.run_config)
    given.pop("run-folder", None)
    others = parse_assignments(str(given.pop("settings", "")).split())
    return make_config({**given, **others})


def _simulated_nodes(grid: Grid) -> int:
    deadline = time.monotonic() + 60
    while not (nodes := list(grid.get_node_ids())) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    return len(list(grid.get_node_ids())) or len(nodes)


def _print_round(record: RoundRecord) -> None:
    shown = record.to_json()
    print(json.dumps({key: shown[key] for key in ("round", "rounds", "phase", "scores", "categories")}), flush=True)
