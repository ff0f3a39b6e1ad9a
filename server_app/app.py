"""The Flower ServerApp: what runs in the cloud."""

import json
import time
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.config import RunConfig, make_config
from common.files import write_json
from server_app.metrics_file import final_metrics
from server_app.rounds import Rounds, Watch
from server_app.run_files import RunFiles

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Entry point of ``flwr run``: the configuration comes from the run config, the data is simulated."""
    from server_app.simulation import prepare_simulation

    config = make_config(dict(context.run_config))
    nodes = _simulated_nodes(grid)
    folder = Path(config.out or Path.home() / ".fedlpa" / "runs" / str(context.run_id))
    files = RunFiles(folder)
    config = prepare_simulation(config.but(out=str(folder), clients=nodes), files, overwrite=False)
    run(grid, config, files, _print_round)


def run(grid: Grid, config: RunConfig, files: RunFiles, watch: Watch) -> dict[str, Any]:
    """Run all rounds and write ``metrics.json``.

    Returns:
        the metrics.
    """
    started = time.perf_counter()
    watchers: list[Watch] = [watch]
    if config.tensorboard:
        from server_app.tensorboard import TensorBoardLog

        board = TensorBoardLog(files.tensorboard)
        watchers.append(board.add)

    def watch_all(record: dict[str, Any]) -> None:
        for each in watchers:
            each(record)

    rounds = Rounds(grid, config, files, watch_all, simulated=True)
    rounds.run()
    if config.tensorboard:
        board.close()
    before = sum(record["seconds"]["round"] for record in rounds.history)
    total = max(before, time.perf_counter() - started)
    model_bytes = sum(array.nbytes for array in rounds.method.weights().values())
    metrics = final_metrics(config, rounds.history, model_bytes, total)
    write_json(files.metrics, metrics)
    return metrics


def _simulated_nodes(grid: Grid) -> int:
    deadline = time.monotonic() + 60
    while not (nodes := list(grid.get_node_ids())) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    return len(list(grid.get_node_ids())) or len(nodes)


def _print_round(record: dict[str, Any]) -> None:
    print(
        json.dumps({key: record[key] for key in ("round", "rounds", "phase", "scores", "categories")}), flush=True
    )
