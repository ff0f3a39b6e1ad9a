"""A whole run on the server: all rounds, the watchers of their records, and ``metrics.json`` at the end."""

import time
from collections.abc import Callable
from typing import Any

from flwr.serverapp import Grid

from common.config import RunConfig
from common.files import write_json
from common.run.run_files import RunFiles
from server_app.final_metrics import final_metrics
from server_app.rounds import Rounds, Watch


def run(
    grid: Grid,
    config: RunConfig,
    files: RunFiles,
    watch: Watch,
    *,
    simulated: bool = True,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
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

    def watch_all(record: dict[str, Any]) -> None:
        for each in watchers:
            each(record)

    rounds = Rounds(grid, config, files, watch_all, simulated=simulated, say=say)
    rounds.run()
    if config.tensorboard:
        board.close()
    before = sum(record["seconds"]["round"] for record in rounds.history)
    total = max(before, time.perf_counter() - started)
    model_bytes = sum(array.nbytes for array in rounds.method.weights().values())
    metrics = final_metrics(config, rounds.history, rounds.delivered, model_bytes, total)
    write_json(files.metrics, metrics)
    return metrics
