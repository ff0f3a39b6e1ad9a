"""FedLoG at three site processes over TLS: the simulation's scores, and only what the sites' policies name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from federation import Federation, rounds_of

SITES = ("site-0", "site-1", "site-2")
SETTINGS = {"method": "fedlog", "rounds": "3", "learning-rate": "0.01", "batch-size": "16", "device": "cpu"}


def _write_graph(path: Path) -> None:
    """Blocks of mostly one class, and features that tell it."""
    import scipy.sparse as sp

    n, classes, rng = 360, 4, np.random.default_rng(0)
    block = np.arange(n) * 20 // n
    labels = np.where(rng.random(n) < 0.8, block % classes, rng.integers(0, classes, n))
    x = (rng.random((n, 12)) < 0.1 + 0.5 * (np.arange(12) % classes == labels[:, None])).astype(np.float32)
    a, b = rng.integers(0, n, (2, 10 * n))
    keep = block[a] == block[b]
    adjacency = sp.csr_matrix((np.ones(keep.sum(), np.float32), (a[keep], b[keep])), shape=(n, n))
    np.savez(
        path,
        adj_data=adjacency.data,
        adj_indices=adjacency.indices,
        adj_indptr=adjacency.indptr,
        adj_shape=np.array([n, n]),
        x=x,
        labels=labels,
    )


def _seen_accuracy(predictions: Path, truth: Path) -> float:
    """Of the test nodes of a site's seen graph."""
    rows = {row["id"]: row["category"] for row in pq.read_table(predictions).to_pylist()}
    with np.load(truth) as part:
        ids, y, test = part["orig_id"], part["y"], part["test_mask"]
    return float(np.mean([rows[str(ids[i])] == str(y[i]) for i in np.flatnonzero(test)]))


def test_three_sites_over_grpc_score_like_the_simulation(code: Path, tmp_path: Path) -> None:
    from common.config import make_config
    from fedlpa.simulate import simulate

    _write_graph(tmp_path / "graph.npz")
    simulated = tmp_path / "simulated"
    given = {**SETTINGS, "data": str(tmp_path / "graph.npz"), "clients": "3", "out": str(simulated)}
    final = simulate(make_config({**given, "tensorboard": "false"}))["final"]

    more = {
        "kind": "graph",
        "sample-shape": "12",
        "seen-classes": "0,1,2,3",
        "min-clients": "3",
        "quorum-timeout": "300",
    }
    federation = Federation(tmp_path, code, SITES)
    told = federation.command(
        "federation", "init", str(federation.home), "--host", "localhost", "--sites", ",".join(SITES),
        "--port", str(federation.port), "--control-port", str(federation.control_port),
        *(part for key, value in {**SETTINGS, **more}.items() for part in ("--set", f"{key}={value}")),
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    for site in SITES:
        folder = federation.site(site)
        shutil.copyfile(simulated / "sites" / site / "data.npz", folder / "data.npz")
        toml = (folder / "site.toml").read_text().replace('"data.parquet"', '"data.npz"')
        (folder / "site.toml").write_text(toml)
        policy = (folder / "policy.yaml").read_text()
        assert "records: [weights]" in policy  # slots leave by consent only
        policy = policy.replace("records: [weights]", "records: [weights, slots, slot-groups]")
        (folder / "policy.yaml").write_text(policy.replace("min-samples: 5", "min-samples: 3"))
    try:
        federation.start_all()
        told = federation.run(tmp_path / "out")
    finally:
        federation.stop()
    assert told.returncode == 0, told.stdout + told.stderr + federation.told("server")

    there, here = rounds_of(tmp_path / "out"), rounds_of(simulated)
    for a, b in zip(there, here, strict=True):
        assert a["scores"]["validation"] == pytest.approx(b["scores"]["validation"], abs=0.02)
    for site in SITES:
        found = _seen_accuracy(federation.state(site) / "predictions.parquet", simulated / "sites" / site / "truth.npz")
        assert found == pytest.approx(final["by_site"][site]["seen"], abs=0.02)
        lines = [json.loads(line) for line in (federation.state(site) / "audit.jsonl").read_text().splitlines()]
        assert {name for line in lines for name in line["records"]} == {"weights", "slots", "slot-groups"}
