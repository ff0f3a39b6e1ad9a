"""A kind of data that the application does not know, from a file to a trained network: one module, one registration.

The kind is what docs/adding-a-data-kind.md walks through.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from client_app.training.loop import train
from common.config import make_config
from common.data.dataset import Dataset
from common.data.description import Description
from common.data.kind import SampleKind, TableRows, View
from common.data.kind_registry import KINDS, find_kind
from common.data.parquet import write_dataset
from common.data.read import read_dataset
from common.errors import InputError
from common.models import all_features, build_network, feature_width, raw_inputs, restore_network, travelling
from common.models.encoder import Encoder
from fedlpa.data_check import check_data

# --- the module of the kind: sequences of whole numbers of any length, counted -------------------------------------

SYMBOLS = 12


def _from_table(table: TableRows) -> Dataset:
    x = np.zeros((len(table.ids), SYMBOLS), dtype=np.float32)
    for row, (number, steps) in enumerate(zip(table.rows.tolist(), table.columns["steps"].to_pylist(), strict=True)):
        if not steps or not all(0 <= step < SYMBOLS for step in steps):
            raise InputError(
                f"{table.source}: column 'steps', row {number}: not a list of numbers from 0 to {SYMBOLS - 1}; mend it."
            )
        x[row] = np.bincount(steps, minlength=SYMBOLS)
    return Dataset("sequences", x, table.labels, table.ids, table.source)


def _to_column(dataset: Dataset) -> tuple[pa.Array, Mapping[bytes, str]]:
    counts = dataset.x.astype(np.int64)
    return pa.array([np.repeat(np.arange(SYMBOLS), row).tolist() for row in counts], pa.list_(pa.int64())), {}


def _describe(dataset: Dataset) -> Description:
    short = int((dataset.x.sum(axis=1) < 3).sum())
    warnings = (f"{short} sequences have fewer than 3 steps.",) if short else ()
    return Description(will=("A perceptron learns from how often each number occurs.",), warnings=warnings)


class Counter(Encoder):
    """Shares [n, 12] -> features [n, 16]."""

    width = 16

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(SYMBOLS, 32), nn.GELU(), nn.Linear(32, self.width))

    def forward(self, x: Tensor) -> Tensor:
        """Unnormalised features."""
        out: Tensor = self.layers(x)
        return out


def _view(strength: float, flip: bool) -> View:
    return lambda x: F.dropout(x, min(0.9, 0.3 * strength))


SEQUENCES = SampleKind(
    name="sequences",
    column="steps",
    is_column=pa.types.is_list,
    from_table=_from_table,
    to_column=_to_column,
    describe=_describe,
    model="counter",
    build=lambda shape: Counter(),
    width=lambda shape: Counter.width,
    prepare=lambda x: x / x.sum(dim=1, keepdim=True),
    view=_view,
)

# --- the tests -----------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
STEPS = [RNG.integers(0, 6, 9).tolist() if i % 2 else RNG.integers(5, 12, 4).tolist() for i in range(40)]
LABELS = ["odd" if i % 2 else "even" for i in range(30)] + [None] * 10


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file of the kind, which is registered for the length of a test."""
    monkeypatch.setitem(KINDS, "sequences", SEQUENCES)
    table = pa.table({"steps": STEPS, "label": LABELS, "weight": np.arange(40.0)})
    pq.write_table(table, tmp_path / "steps.parquet")
    return tmp_path / "steps.parquet"


@pytest.fixture
def config(path):
    return make_config({"kind": "sequences", "sample-shape": [SYMBOLS], "seen-classes": "even,odd"})


def test_its_files_are_read_and_written(path, tmp_path):
    dataset = read_dataset(str(path))
    assert (dataset.kind, dataset.sample_shape, dataset.classes) == ("sequences", (SYMBOLS,), ("even", "odd"))
    np.testing.assert_array_equal(dataset.x[3], [STEPS[3].count(symbol) for symbol in range(SYMBOLS)])
    write_dataset(dataset, tmp_path / "site.parquet")
    again = read_dataset(str(tmp_path / "site.parquet"))
    np.testing.assert_array_equal(again.x, dataset.x)
    assert (again.kind, again.ids, again.labels) == ("sequences", dataset.ids, dataset.labels)


def test_its_bad_values_get_its_own_sentence(path):
    pq.write_table(pa.table({"steps": [[1], [99]]}), path)
    with pytest.raises(InputError, match=r"column 'steps', row 1: not a list of numbers from 0 to 11"):
        read_dataset(str(path))
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(InputError, match="an 'embedding' column, a 'steps' column or numeric columns"):
        read_dataset(str(path))


def test_data_check_says_what_the_kind_says(path):
    report = check_data(str(path))
    assert (report.ok, report.kind, report.samples, report.labelled) == (True, "sequences", 40, 30)
    assert report.will[0] == "A perceptron learns from how often each number occurs."
    assert "At a site, each labelled class is a seen class: 'even', 'odd'." in report.will
    pq.write_table(pa.table({"steps": [*STEPS[:5], [1]]}), path)
    assert "1 sequences have fewer than 3 steps." in check_data(str(path)).warnings


def test_its_network_trains_on_its_views(config, path):
    x = torch.from_numpy(read_dataset(str(path)).x)
    network = build_network(config, 2)
    assert isinstance(network.backbone, Counter)
    assert feature_width(config) == network.width == all_features(network, x).shape[1]
    restored = restore_network(config, {name: t.numpy().copy() for name, t in travelling(network).items()})
    assert torch.equal(all_features(restored, x), all_features(network, x))
    before = {name: tensor.clone() for name, tensor in travelling(network).items()}
    losses = train(
        network,
        x,
        np.array([0, 1] * 15 + [-1] * 10),
        config.options.model_copy(update={"local_epochs": 1}),
        kind=config.kind,
        learning_rate=1e-2,
        neighbours=None,
        alignment=None,
        alignment_options=None,
        teacher_temperature=0.05,
        rng=np.random.default_rng(0),
    )
    assert losses["contrastive"] > 0
    assert losses["supervised"] > 0
    changed = {name for name, tensor in travelling(network).items() if not torch.equal(tensor, before[name])}
    assert {"backbone.layers.0.weight", "head.weight"} <= changed


def test_another_kinds_network_does_not_fit_it(config):
    with pytest.raises(InputError, match="model 'adapter' does not fit sequences; use --set model=counter"):
        build_network(config.but(model="adapter"), 2)
    with pytest.raises(InputError, match=r"model '\./dino' takes images, not sequences; use --set model=counter"):
        build_network(config.but(model="./dino"), 2)


def test_discovery_without_training_gets_its_prepared_samples(config, path):
    x = torch.from_numpy(read_dataset(str(path)).x)
    rows = raw_inputs(config, x)
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(40))
    torch.testing.assert_close(rows, build_network(config, 2).neighbour_input(x))


def test_where_it_is_not_registered_nobody_knows_it():
    with pytest.raises(InputError, match="unknown kind of data 'sequences'"):
        find_kind("sequences")
