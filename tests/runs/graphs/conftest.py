"""A small federation on a made graph, run in this process: the real ServerApp loop and the real ClientApp."""

import numpy as np
import pytest

from common.data.graph import Graph, undirected, write_graph
from common.place import Simulation
from tests.fake_grid import SimulatedSites

CLASSES = 5


def made_graph(n=400, seed=0):
    """Blocks of mostly one class, features that tell the class, some nodes without a label."""
    rng = np.random.default_rng(seed)
    block = np.arange(n) * 20 // n
    labels = np.where(rng.random(n) < 0.75, block % CLASSES, rng.integers(0, CLASSES, n))
    x = (rng.random((n, 15)) < 0.1 + 0.5 * (np.arange(15) % CLASSES == labels[:, None])).astype(np.float32)
    a, b = rng.integers(0, n, (2, 10 * n))
    keep = (block[a] == block[b]) & (rng.random(len(a)) < 0.9)
    labels = np.where(rng.random(n) < 0.03, -1, labels)
    names = tuple(f"class-{i}" for i in range(CLASSES))
    return Graph(x, undirected(a[keep], b[keep], n), labels, names, tuple(f"n{i}" for i in range(n)), "made", {})


@pytest.fixture
def graph_file(tmp_path):
    write_graph(made_graph(), tmp_path / "graph.npz")
    return tmp_path / "graph.npz"


@pytest.fixture
def run_graphs(tmp_path, graph_file, flower_task):
    """Runs a method; returns metrics, files, grid."""
    from common.config import make_config
    from common.run.run_files import RunFiles
    from server_app.methods import server_method
    from server_app.run import run

    def start(method="fedlog", folder="run", twist=None, overwrite=True, **settings):
        given = {"method": method, "data": str(graph_file), "clients": 3, "rounds": 6, "tensorboard": False}
        given |= {"score-every": 2, "device": "cpu", "min-group": 2, "learning-rate": 0.003, "batch-size": 16}
        if not method.startswith("fedlog"):
            del given["min-group"]
        given |= {name.replace("_", "-"): value for name, value in settings.items()}
        files = RunFiles(tmp_path / folder)
        config = make_config(given)
        config = server_method(config).lay_out(config, files, overwrite)
        grid = SimulatedSites(config.clients, twist)
        return run(grid, config, files, Simulation(files.sites), lambda record: None).to_json(), files, grid

    return start
