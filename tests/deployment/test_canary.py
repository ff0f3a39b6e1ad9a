"""Patterns planted in a site's data, labels and file names: none of them is in what the site sends, in clear."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from federation import Federation
from recorder import Recorder

SITES = ("site-0", "site-1")
LABELS = ("CANARYlabelAlpha7391", "CANARYlabelBravo7391")


def plant(folder: Path) -> dict[str, list[bytes]]:
    """Vectors with unusual numbers, ids and labels; returns the patterns by site."""
    rng = np.random.default_rng(5)
    folder.mkdir()
    planted = {}
    for k, site in enumerate(SITES):
        centres = np.eye(4, 8) * 5
        of = rng.integers(0, 4, 120)
        x = (centres[of] + rng.normal(0, 0.3, (120, 8))).astype(np.float32)
        x[0] = np.frombuffer(f"CANARYvector{k}".ljust(32, "x").encode(), dtype=np.float32)
        labels = [LABELS[c] if c < 2 and i % 2 else None for i, c in enumerate(of)]
        ids = [f"CANARYid{k}-{i:03d}-patient" for i in range(120)]
        table = pa.table({"id": ids, "embedding": pa.array(x.tolist(), pa.list_(pa.float32(), 8)), "label": labels})
        pq.write_table(table, folder / f"{site}.parquet")
        rows = [x[i].tobytes() for i in range(1, 120)]
        planted[site] = [x[0].tobytes()[:12], b"CANARYid", b"-patient", b"CANARYfile", *rows]
    return planted


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, code: Path) -> Iterator[tuple[Federation, bytes, list[bytes]]]:
    folder = tmp_path_factory.mktemp("canary")
    planted = plant(folder / "data")
    federation = Federation(folder, code, SITES, ("rounds=4", "min-clients=2", "quorum-timeout=200"))
    federation.init(folder / "data")
    recorder = Recorder(federation.home / "server", federation.port, federation.home / "ca" / "ca.crt")
    for site in SITES:
        path = federation.site(site) / "site.toml"
        (federation.site(site) / "data.parquet").rename(federation.site(site) / "CANARYfile-7391.parquet")
        text = path.read_text().replace('"data.parquet"', '"CANARYfile-7391.parquet"')
        path.write_text(text.replace(f"localhost:{federation.port}", f"localhost:{recorder.port}"))
    try:
        federation.start_all()
        told = federation.run(folder / "out")
        assert told.returncode == 0, told.stdout + told.stderr + federation.told("server")
        yield federation, bytes(recorder.sent), [pattern for patterns in planted.values() for pattern in patterns]
    finally:
        federation.stop()
        recorder.close()


def test_nothing_that_was_planted_is_sent(recorded: tuple[Federation, bytes, list[bytes]]) -> None:
    federation, sent, patterns = recorded
    audited = 0
    for site in SITES:
        lines = (federation.state(site) / "audit.jsonl").read_text().splitlines()
        audited += sum(json.loads(line)["bytes"] for line in lines)
    assert len(sent) > audited > 0, "the recorder saw less than what left"
    for pattern in patterns:
        assert pattern not in sent
    for label in LABELS:
        assert label.encode() not in sent


def test_the_recorder_sees_what_is_sent(recorded: tuple[Federation, bytes, list[bytes]]) -> None:
    """So that the test above means something: names of the contracted records are there, in clear."""
    _, sent, _ = recorded
    assert b"weights" in sent
    assert b"catalogue" in sent
    assert b"NUMPY" in sent
    assert b"truth" not in sent


def test_nothing_that_was_planted_is_at_the_server(recorded: tuple[Federation, bytes, list[bytes]]) -> None:
    federation, _, patterns = recorded
    for path in [*(federation.home / "server").rglob("*"), *(federation.folder / "out").rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            assert not any(pattern in content for pattern in patterns), path
