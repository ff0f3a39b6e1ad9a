"""FedLoG at three site processes over TLS: the simulation's scores, and only what the sites' policies name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from federation import Federation, rounds_of

from client_app.coarse_scalars import coarse_scalars
from client_app.methods import client_method
from client_app.site import simulated_site
from client_app.site_secret import secret_generator
from common.wire.messages import read_metrics
from common.wire.records import Metrics, scalar
from tests.fake_grid import SimulatedSites

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


def _exact_answers(settings: dict[str, str], folder: Path) -> dict[tuple[int, str], tuple[Metrics, int]]:
    """By round and site, what a simulated site reports to the last digit, and how many nodes it measures by."""
    from common.config import make_config
    from common.place import Simulation
    from common.run.run_files import RunFiles
    from server_app.methods import server_method
    from server_app.run import run

    config, files = make_config({**settings, "tensorboard": "false", "out": str(folder)}), RunFiles(folder)
    config = server_method(config).lay_out(config, files, False)
    place = Simulation(files.sites)
    measuring = [client_method(config).load_data(simulated_site(place, n), config).measuring for n in range(len(SITES))]
    grid = SimulatedSites(len(SITES))
    run(grid, config, files, place, lambda record: None)
    return {
        (sent.round, f"site-{sent.site}"): (read_metrics(sent.reply.content), measuring[sent.site])
        for sent in grid.trained()
        if sent.reply is not None
    }


def _as_it_leaves(metrics: Metrics, measuring: int, state: Path, number: int) -> float:
    """The validation accuracy as an institution reports it: on the grid that its nodes support, by its own secret."""
    from common.methods.graph_common import GRAPH_METRICS

    (run,) = (state / "runs").iterdir()
    told = {name: value for name, value in metrics.items() if name != "site"}
    sizes = {"samples": int(scalar(metrics, "samples")), "held-out": measuring}
    generator = secret_generator(state, f"{run.name}/{number}/scalars")
    return scalar(coarse_scalars(told, GRAPH_METRICS, sizes, generator), "validation-accuracy")


@pytest.mark.usefixtures("flower_task")
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
    exact = _exact_answers({**given, "clients": str(len(SITES))}, tmp_path / "exact")
    for a, b in zip(there, here, strict=True):
        answers = {site: exact[a["round"], site] for site in SITES}
        weights = [scalar(metrics, "samples") for metrics, _ in answers.values()]
        plain = [scalar(metrics, "validation-accuracy") for metrics, _ in answers.values()]
        assert np.average(plain, weights=weights) == pytest.approx(b["scores"]["validation"])
        coarse = [_as_it_leaves(*answer, federation.state(site), a["round"]) for site, answer in answers.items()]
        assert a["scores"]["validation"] == pytest.approx(np.average(coarse, weights=weights), abs=0.02)
    for site in SITES:
        found = _seen_accuracy(federation.state(site) / "predictions.parquet", simulated / "sites" / site / "truth.npz")
        assert found == pytest.approx(final["by_site"][site]["seen"], abs=0.02)
        lines = [json.loads(line) for line in (federation.state(site) / "audit.jsonl").read_text().splitlines()]
        assert {name for line in lines for name in line["records"]} == {"weights", "slots", "slot-groups"}
