"""One server, three sites as separate processes over TLS with authentication: the simulation's result, and no more."""

import json
import os
from pathlib import Path

import pytest
from federation import Federation, rounds_of
from scores import global_accuracy

from common.place import Deployment

SITES = ("site-0", "site-1", "site-2")
ROUNDS = 5


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, code: Path, digits: Path) -> tuple[Federation, Path, str]:
    federation = Federation(
        tmp_path_factory.mktemp("run"), code, SITES, (f"rounds={ROUNDS}", "min-clients=3", "quorum-timeout=300")
    )
    federation.init(digits)
    out = federation.folder / "out"
    try:
        federation.start_all()
        told = federation.run(out)
    finally:
        federation.stop()
    assert told.returncode == 0, told.stdout + told.stderr + federation.told("server")
    return federation, out, told.stdout + told.stderr


def test_writes_the_files_of_a_simulation(finished: tuple[Federation, Path, str]) -> None:
    _, out, _ = finished
    for name in ("config.json", "metrics.json", "report.html", "model/weights.safetensors", "model/model.json"):
        assert (out / name).is_file(), name
    rounds = rounds_of(out)
    assert [record["round"] for record in rounds] == list(range(1, ROUNDS + 1))
    assert all(record["clients"]["answered"] == 3 for record in rounds)
    assert set(rounds[-1]["concepts"]) == set(SITES)


def test_scores_like_the_simulation(finished: tuple[Federation, Path, str], digits: Path, tmp_path: Path) -> None:
    from common.config import make_config
    from fedlpa.simulate import simulate

    federation, _, _ = finished
    config = make_config({"clients": "3", "alpha": "1.0", "rounds": str(ROUNDS), "out": str(tmp_path / "sim")})
    simulated = simulate(config)["final"]["global"]["all"]
    assert global_accuracy(federation, digits) == pytest.approx(simulated, abs=0.02)


def test_only_contracted_records_crossed(finished: tuple[Federation, Path, str]) -> None:
    from common.config import load_config
    from common.methods.registry import get_method

    federation, out, _ = finished
    config = load_config(out / "config.json")
    contract = get_method("fedlpa").contract(config, Deployment())
    for site in SITES:
        told = federation.command("site", "audit", "--config", str(federation.site(site) / "site.toml"))
        assert told.returncode == 0
        assert "chain is whole" in told.stdout
        lines = [json.loads(line) for line in (federation.state(site) / "audit.jsonl").read_text().splitlines()]
        names = {name for line in lines for name in line["records"]}
        assert names == set(contract.arrays)
        assert len(lines) == ROUNDS + 2
        for line in lines:
            assert line["metrics"].keys() <= contract.metrics.keys()


def test_private_files_are_private(finished: tuple[Federation, Path, str]) -> None:
    federation, _, _ = finished
    keys = {path: path.read_bytes() for path in federation.home.rglob("*.key")}
    assert len(keys) == 2 + len(SITES)
    for path in keys:
        assert path.stat().st_mode & 0o777 == 0o600, path
    secrets = [line for content in keys.values() for line in content.splitlines() if len(line) > 40]
    for path in federation.folder.rglob("*"):
        if path.is_file() and path not in keys:
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path
    for site in SITES:
        assert oct(federation.state(site).stat().st_mode & 0o777) == "0o700"
        assert os.access(federation.state(site) / "predictions.parquet", os.R_OK)


def test_a_finished_run_is_not_overwritten(finished: tuple[Federation, Path, str]) -> None:
    federation, out, _ = finished
    told = federation.run(out)
    assert told.returncode == 2
    assert "finished run" in told.stderr
