"""A site of a small simulation, asked for its rounds in this process as the ClientApp would ask, without messages."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from client_app.method import Answer, Task
from client_app.methods import client_method
from client_app.site import RealSite, Site, simulated_site
from client_app.state import PrivateState
from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.methods.plan import round_contract
from common.methods.registry import get_method
from common.place import Simulation
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from common.wire.contract import violations
from common.wire.messages import client_content
from tests.made_graph import made_graph

Records = Mapping[str, Mapping[str, NDArray[Any]]]
CLOCK = {"discovery-seconds"}
"""Metrics that depend on the clock."""
torch.set_num_threads(1)


class AskedSite:
    """Every answer is checked against the run's contract. The private state is read from the disk each time."""

    def __init__(self, config: AnyConfig, site: Site) -> None:
        self.config, self.site = site.configure(config), site
        self.spec, self.method = get_method(config.method), client_method(config)
        self.data = self.method.load_data(site, self.config)

    @property
    def state(self) -> PrivateState:
        return PrivateState(self.site.folder, f"run/{self.data.fingerprint}")

    def task(self, number: int, records: Records = {}, **values: tuple[float, ...]) -> Task[Any]:  # noqa: B006
        plan = self.spec.plan(self.config, number)
        return Task(self.config, plan, self.site, self.data, self.state, records, values)

    def ask(self, number: int, records: Records = {}, **values: tuple[float, ...]) -> Answer:  # noqa: B006
        task = self.task(number, records, **values)
        answer = self.method.run_round(task)
        contract = round_contract(self.spec.contract(self.config, self.site.place), task.plan)
        assert violations(client_content(answer.records, answer.metrics), contract) == []
        return answer

    def ask_again(self, number: int, first: Answer, records: Records = {}, **values: tuple[float, ...]) -> None:  # noqa: B006
        """Ask for a round once more, as a server does that died in it: the answer is the same to the bit."""
        again = self.ask(number, records, **values)
        assert_same(again.records, first.records)
        told = [{name: value for name, value in a.metrics.items() if name not in CLOCK} for a in (again, first)]
        assert told[0] == told[1]

    def ask_each_twice(self, rounds: int, records: Records) -> dict[int, Answer]:
        """Answers of the first ``rounds`` rounds, each asked for twice; the weights go from one to the next."""
        found = {}
        for number in range(1, rounds + 1):
            found[number] = self.ask(number, records)
            self.ask_again(number, found[number], records)
            records = {"weights": found[number].records.get("weights", records["weights"])}
        return found


def assert_same(found: Records, expected: Records) -> None:
    assert {r: set(arrays) for r, arrays in found.items()} == {r: set(arrays) for r, arrays in expected.items()}
    for record, arrays in expected.items():
        for name, array in arrays.items():
            assert found[record][name].dtype == array.dtype
            np.testing.assert_array_equal(found[record][name], array, err_msg=f"{record}/{name}")


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    """120 rows of 6 numbers around 4 centres; the first two classes are the seen ones of a run."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 120)
    x = rng.normal(size=(120, 6)) + 6 * np.eye(4, 6)[truth]
    labels, ids = tuple("abcd"[t] for t in truth), tuple(f"row-{i}" for i in range(120))
    write_dataset(Dataset("vectors", x.astype(np.float32), labels, ids, "memory"), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.fixture
def asked_site(
    small_federation: Callable[..., tuple[AnyConfig, RunFiles]], rows_file: Path
) -> Callable[..., AskedSite]:
    """Makes the first of two sites with half of the rows each. ``real``: as an institution, not as a simulation's."""

    def make(method: str = "fedlpa", real: bool = False, **settings: object) -> AskedSite:
        given = {"data": str(rows_file), "rows": None, "clients": 2, "labelled_fraction": 0.8, **settings}
        config, files = small_federation(method=method, **given)
        site = simulated_site(Simulation(files.sites), 0)
        if not real:
            return AskedSite(config, site)
        own = RealSite("north", site.data, site.folder, site.folder / "policy.yaml")
        own.policy.write_text(f"methods: [{method}]\nmax-bytes-per-round: 1000000\nmin-samples: 4\n")
        return AskedSite(config, own)

    return make


@pytest.fixture
def start(asked_site: Callable[..., AskedSite]) -> Callable[..., tuple[AskedSite, Records]]:
    """The same, with the weights that a run begins with."""
    from common.models import initial_weights

    def make(head_rows: int | None = None, **settings: object) -> tuple[AskedSite, Records]:
        site = asked_site(**settings)
        rows = len(site.config.seen_classes) if head_rows is None else head_rows
        return site, {"weights": initial_weights(site.config, rows)}

    return make


@pytest.fixture
def graph_site(
    small_federation: Callable[..., tuple[AnyConfig, RunFiles]], rows_file: Path, tmp_path: Path
) -> Callable[..., tuple[AskedSite, Records]]:
    """Makes the first of three sites of a graph, or of two of a table, and the weights that a run begins with.

    ``real``: as an institution whose policy lets out what stands for 4 nodes.
    """
    from common.data.graph import write_graph
    from common.methods.graph_common import features
    from common.models.graph_sage import build_graph_sage

    def make(method: str, *, table: bool = False, real: bool = False, **settings: object) -> tuple[AskedSite, Records]:
        if table:
            given = {"data": str(rows_file), "clients": 2, "knn": 5}
        else:
            write_graph(made_graph(), tmp_path / "graph.npz")
            given = {"data": str(tmp_path / "graph.npz"), "clients": 3}
        given |= {"rows": None, "device": "cpu", "batch_size": 16, "rounds": 4, "score_every": 2, **settings}
        config, files = small_federation(method=method, **given)
        site: Site = simulated_site(Simulation(files.sites), 0)
        if real:
            policy = f"methods: [{method}]\nmax-bytes-per-round: 1000000\nmin-samples: 4\n"
            (site.folder / "policy.yaml").write_text(policy)
            site = RealSite("north", site.data, site.folder, site.folder / "policy.yaml")
        network = build_graph_sage(features(config), len(config.seen_classes), config.seed, 0.5, False)
        weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        return AskedSite(config, site), {"weights": weights}

    return make
