"""The TensorBoard log, read back with TensorBoard's own reader."""

import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from common.run.record import RoundRecord
from server_app.tensorboard import TensorBoardLog

Curve = list[tuple[int, float]]


def read(folder: Path) -> dict[str, Curve]:
    """All scalars below ``folder`` as ``(step, value)``."""
    reader = EventAccumulator(str(folder))
    reader.Reload()
    tags: list[str] = reader.Tags()["scalars"]
    return {tag: [(event.step, round(event.value, 4)) for event in reader.Scalars(tag)] for tag in tags}


def record(index: int, loss: float, **changes: Any) -> RoundRecord:
    given = {"round": index, "rounds": 9, "phase": "warm-up", "loss": {"total": loss}, **changes}
    return RoundRecord.model_validate(given)


def test_every_number_of_a_record_becomes_a_scalar(tmp_path: Path) -> None:
    full = record(
        3,
        1.5,
        scores={"global": {"all": 0.9, "old": None}, "local": None, "seen_accuracy": 0.8},
        categories={"found": 11, "true": None},
        concepts={"site-0": 12},
        clients={
            "asked": 3,
            "answered": 2,
            "sat_out": [],
            "failed": [{"site": "site-1", "reason": "gone"}],
            "refused": [],
            "outliers": [{"site": "site-0", "norm": 3.0, "limit": 2.0}],
        },
        privacy={"delta": 1e-5, "rounds": 3, "covers": "weights", "local": {"clip_norm": 1.0, "noise_multiplier": 5.0}},
        bytes={"up": 1000, "down": 10},
        seconds={"round": 2.0},
    )
    with closing(TensorBoardLog(tmp_path)) as log:
        log.add(full)
    assert read(tmp_path) == {
        "loss/total": [(3, 1.5)],
        "scores/global/all": [(3, 0.9)],
        "scores/seen_accuracy": [(3, 0.8)],
        "categories/found": [(3, 11.0)],
        "concepts/site-0": [(3, 12.0)],
        "clients/asked": [(3, 3.0)],
        "clients/answered": [(3, 2.0)],
        "clients/sat_out": [(3, 0.0)],
        "clients/failed": [(3, 1.0)],
        "clients/refused": [(3, 0.0)],
        "bytes/up": [(3, 1000.0)],
        "bytes/down": [(3, 10.0)],
        "seconds/round": [(3, 2.0)],
        "privacy/delta": [(3, 0.0)],
        "privacy/rounds": [(3, 3.0)],
        "privacy/local/clip_norm": [(3, 1.0)],
        "privacy/local/noise_multiplier": [(3, 5.0)],
    }


def test_a_round_can_be_read_as_soon_as_it_is_added(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path)
    log.add(record(1, 2.0))
    assert read(tmp_path)["loss/total"] == [(1, 2.0)]
    log.add(record(2, 1.0))
    assert read(tmp_path)["loss/total"] == [(1, 2.0), (2, 1.0)]
    log.close()


def test_a_resumed_run_replaces_the_rounds_it_runs_again(tmp_path: Path) -> None:
    with closing(TensorBoardLog(tmp_path)) as log:
        for index in (1, 2, 3):
            log.add(record(index, float(index)))
    with closing(TensorBoardLog(tmp_path)) as log:
        log.add(record(2, 20.0))
        log.add(record(3, 30.0))
    assert read(tmp_path)["loss/total"] == [(1, 1.0), (2, 20.0), (3, 30.0)]


def test_a_round_written_twice_by_one_log_counts_once(tmp_path: Path) -> None:
    with closing(TensorBoardLog(tmp_path)) as log:
        log.add(record(1, 1.0))
        log.add(record(2, 2.0))
        log.add(record(2, 22.0))
    assert read(tmp_path)["loss/total"] == [(1, 1.0), (2, 22.0)]


def test_writing_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with closing(TensorBoardLog(tmp_path)) as log:
            log.add(record(1, 1.0))


def test_a_log_without_rounds_leaves_no_file(tmp_path: Path) -> None:
    with closing(TensorBoardLog(tmp_path / "tensorboard")):
        pass
    assert not (tmp_path / "tensorboard").exists()
