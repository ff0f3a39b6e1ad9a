"""A whole run on the server: all rounds, the watchers of their records, and ``metrics.json`` at the end."""

import time
from collections.abc import Callable

from flwr.serverapp import Grid

from common.files import write_json
from common.place import Place
from common.run.metrics import RunMetrics
from common.run.record import RoundRecord, Watch
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from server_app.final_metrics import final_metrics
from server_app.rounds import Rounds


def run(
    grid: Grid,
    config: AnyConfig,
    files: RunFiles,
    place: Place,
    watch: Watch,
    say: Callable[[str], None] | None = None,
) -> RunMetrics:
    """Run all rounds and write ``metrics.json``.

    Args:
        watch: called with every round's record.
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

    rounds = Rounds(grid, config, files, place, watch_all, say)
    rounds.run()
    if config.tensorboard:
        board.close()
    before = sum(record.seconds.round or 0.0 for record in rounds.history)
    total = max(before, time.perf_counter() - started)
    model_bytes = sum(array.nbytes for array in rounds.method.weights().values())
    final = rounds.method.final_scores(rounds.history, rounds.delivered)
    metrics = final_metrics(config, place, rounds.history, final, model_bytes, total)
    write_json(files.metrics, metrics.to_json())
    return metrics
