"""Sites that hang, answer with NaN, with wrong shapes, or 100 times slower than the rest: the run does without them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from federation import Federation, rounds_of, wait_for

from fedlpa.liveness import FILE, is_well

HONEST = ("site-0", "site-1")
SPOILT = {"site-2": "hang", "site-3": "nan", "site-4": "shapes", "site-5": "slow"}
ROUNDS = 3


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory, code: Path) -> Iterator[tuple[Federation, Path, str, float]]:
    from common.data.read import ReadOptions
    from fedlpa.partition import partition

    folder = tmp_path_factory.mktemp("misbehaving")
    sites = (*HONEST, *SPOILT)
    partition("digits", len(sites), 10.0, 0, folder / "data", options=ReadOptions(rows=480))
    federation = Federation(
        folder,
        code,
        sites,
        (f"rounds={ROUNDS}", f"min-clients={len(HONEST)}", "round-timeout=600", "grace-period=5", "quorum-timeout=300"),
    )
    federation.init(folder / "data")
    try:
        federation.start_server()
        for site in sites:
            federation.start_site(site, misbehave=SPOILT.get(site, ""))
        for site in sites:
            alive = federation.state(site) / FILE
            wait_for(lambda alive=alive: is_well(alive), 120, f"{site} to hear the server")
        started = time.monotonic()
        told = federation.run(folder / "out")
        seconds = time.monotonic() - started
        assert told.returncode == 0, told.stdout + told.stderr + federation.told("server")
        yield federation, folder / "out", told.stdout + told.stderr, seconds
    finally:
        federation.stop()


def reasons(record: dict[str, Any]) -> dict[str, str]:
    clients = record["clients"]
    return {entry["site"]: entry["reason"] for entry in clients["failed"] + clients["refused"]}


def test_the_run_finishes_without_them(spoilt: tuple[Federation, Path, str, float]) -> None:
    _, out, _, seconds = spoilt
    records = rounds_of(out)
    assert [record["round"] for record in records] == list(range(1, ROUNDS + 1))
    assert all(record["clients"]["answered"] == len(HONEST) for record in records)
    assert json.loads((out / "metrics.json").read_text())["rounds"] == ROUNDS
    assert seconds < 600, "nobody waited for a round's timeout"


def test_the_record_says_who_and_why(spoilt: tuple[Federation, Path, str, float]) -> None:
    _, out, _, _ = spoilt
    first, *later = (reasons(record) for record in rounds_of(out))
    assert first.keys() == SPOILT.keys()
    assert first["site-2"] == first["site-5"] == "no reply in time"
    for found in (first, *later):
        assert "not finite" in found["site-3"]
        assert "has shape" in found["site-4"]
    for found in later:
        assert found["site-2"] == "still working on its message of round 1"
        assert found.get("site-5", "still working on its message of round 1").startswith("still working")


def test_the_live_view_and_the_report_say_so_too(spoilt: tuple[Federation, Path, str, float]) -> None:
    _, out, shown, _ = spoilt
    report = (out / "report.html").read_text()
    for site in SPOILT:
        assert site in shown
        assert site in report
    for words in ("not finite", "no reply in time", "still working on its message of round 1"):
        assert words in shown
        assert words in report


def test_the_model_is_the_honest_sites(spoilt: tuple[Federation, Path, str, float]) -> None:
    import numpy as np
    from safetensors.numpy import load_file

    _, out, _, _ = spoilt
    for name, array in load_file(out / "model" / "weights.safetensors").items():
        assert np.isfinite(array).all(), name
