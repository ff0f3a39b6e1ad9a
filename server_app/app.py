"""The Flower ServerApp: what runs in the cloud."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.config import make_config, parse_assignments
from common.errors import InputError
from common.files import write_json
from common.run.metrics import RunMetrics
from common.run.record import RoundRecord, Watch
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from server_app.final_metrics import final_metrics
from server_app.rounds import Rounds

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Entry point of Flower: ``fedlpa run`` names the folder of a run on real sites, ``flwr run`` simulates."""
    folder = str(context.run_config.get("run-folder", ""))
    if folder:
        from server_app.deployment import run_deployed

        run_deployed(grid, Path(folder))
    else:
        _simulate(grid, context)


def _simulate(grid: Grid, context: Context) -> None:
    """``flwr run``: the configuration comes from the run config, the data is split over the simulated nodes."""
    from flwr.superlink.grid import InMemoryGrid

    from server_app.sites.lay_samples import prepare_simulation

    if not isinstance(grid, InMemoryGrid):
        raise InputError("these are real sites; start the run with 'fedlpa run --config run.toml --out RUN'.")
    config = _run_config(context)
    out = Path(config.out or Path.home() / ".fedlpa" / "runs" / str(context.run_id))
    files = RunFiles(out)
    config = prepare_simulation(config.but(out=str(out), clients=_simulated_nodes(grid)), files, overwrite=False)
    run(grid, config, files, _print_round)


def run(
    grid: Grid,
    config: AnyConfig,
    files: RunFiles,
    watch: Watch,
    *,
    simulated: bool = True,
    say: Callable[[str], None] | None = None,
) -> RunMetrics:
    """Run all rounds and write ``metrics.json``.

    Args:
        watch: called with every round's record.
        simulated: whether the sites lie in ``files.sites``; otherwise they are institutions of their own.
        say: called with sentences on what the run is waiting for.

    Returns:
        the metrics.
    """
    started = time.perf_counter()
    watchers: list[Watch] = [watch]
    if config.tensorboard:
        from server_app.tensorboard import TensorBoardLog

        board = TensorBoardLog(files.tensorboard)
        watchers.append(board.add)

    def watch_all(record: RoundRecord) -> None:
        for each in watchers:
            each(record)

    rounds = Rounds(grid, config, files, watch_all, simulated=simulated, say=say)
    rounds.run()
    if config.tensorboard:
        board.close()
    before = sum(record.seconds.round or 0.0 for record in rounds.history)
    total = max(before, time.perf_counter() - started)
    model_bytes = sum(array.nbytes for array in rounds.method.weights().values())
    metrics = final_metrics(config, rounds.history, rounds.delivered, model_bytes, total)
    write_json(files.metrics, metrics.to_json())
    return metrics


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
