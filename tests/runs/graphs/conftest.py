"""A small federation on a made graph, run in this process: the real ServerApp loop and the real ClientApp."""

import pytest

from common.data.graph import write_graph
from common.place import Simulation
from tests.fake_grid import SimulatedSites
from tests.made_graph import made_graph


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
