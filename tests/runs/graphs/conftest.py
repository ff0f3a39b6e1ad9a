"""A small federation on a made graph, run in this process: the real ServerApp loop and the real ClientApp."""

from itertools import count

import numpy as np
import pytest

from common.data.graph import Graph, undirected, write_graph
from common.place import Simulation

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


class Grid:
    """Sites answer at once. ``twist(site, round, reply)`` may replace a reply."""

    def __init__(self, sites, twist=None):
        from flwr.app import Context, RecordDict

        self.contexts = {
            1000 - i: Context(
                run_id=1, node_id=1000 - i, node_config={"partition-id": i}, state=RecordDict({}), run_config={}
            )
            for i in range(sites)
        }
        self.twist, self.sent, self.replies, self.ids = twist, [], {}, count()

    def get_node_ids(self):
        return list(self.contexts)

    def push_messages(self, messages):
        from client_app.app import app
        from common.wire.messages import read_instruction

        keys = [str(next(self.ids)) for _ in messages]
        for key, message in zip(keys, messages, strict=True):
            message.metadata.__dict__["_message_id"] = key
            context = self.contexts[message.metadata.dst_node_id]
            reply = app(message, context)
            site, number = context.node_config["partition-id"], read_instruction(message).round
            if self.twist is not None:
                reply = self.twist(site, number, reply, message)
            self.sent.append((site, number, message, reply))
            if reply is not None:
                self.replies[key] = reply
        return keys

    def pull_messages(self, message_ids):
        return [self.replies.pop(key) for key in sorted(message_ids, key=int) if key in self.replies]


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
        grid = Grid(config.clients, twist)
        return run(grid, config, files, Simulation(files.sites), lambda record: None).to_json(), files, grid

    return start
