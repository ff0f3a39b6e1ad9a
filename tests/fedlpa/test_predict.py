"""Naming new samples with a model: each prior against numpy, and every refusal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from common.config import make_config
from common.discovery.catalogue import Catalogue
from common.errors import InputError
from common.models import all_features, initial_weights, restore_network
from common.run.model_files import Model, load_model, save_model
from common.settings import AnyConfig
from fedlpa.predict import Predictions, predict

Floats = NDArray[np.float64]
N, GROUPS = 60, 3
LABELS = ["cat", "dog", "novel-7", "novel-2"]
PRIOR = np.log(np.array([0.1, 0.2, 0.6, 0.1], np.float32))
SEPARATE = np.array([[9.0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 9]])


def config_of(method: str = "fedlpa", kind: str = "vectors") -> AnyConfig:
    return make_config({"method": method, "kind": kind, "sample-shape": [4], "seen-classes": ["cat", "dog", "eel"]})


def samples() -> Floats:
    """Three groups far from each other, the first the largest."""
    rng = np.random.default_rng(0)
    return SEPARATE[np.repeat([0, 1, 2], [30, 20, 10])] + 0.2 * rng.normal(size=(N, 4))


def features_of(model: Path) -> tuple[Floats, Floats]:
    """Unit features of the samples and the centre, by the network alone."""
    loaded = load_model(model)
    network = restore_network(loaded.config, loaded.weights)
    z_ND = all_features(network, torch.tensor(samples(), dtype=torch.float32))
    return z_ND.numpy().astype(np.float64), network.feature_mean.numpy().astype(np.float64)


def unit(rows: Floats) -> Floats:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "new.csv"
    lines = [f"{i},{','.join(f'{value:.6g}' for value in row)}" for i, row in enumerate(samples())]
    path.write_text("\n".join(["id,a,b,c,d", *lines]))
    return str(path)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Saves a model whose four categories lie among the samples' features."""

    def make(
        *, prior: NDArray[np.float32] | None = None, linear: bool = False, categories: int = 4, shared: bool = True
    ) -> Path:
        config = config_of()
        weights = initial_weights(config, 3)
        rng = np.random.default_rng(1)
        weights["feature_mean"] = (0.1 * rng.normal(size=weights["feature_mean"].shape)).astype(np.float32)
        weights["input_mean"], weights["input_square"] = samples().mean(axis=0), (samples() ** 2).mean(axis=0)
        save_model(tmp_path / "model", Model(config, weights, None))
        z_ND, _ = features_of(tmp_path / "model")
        near = z_ND[[0, 31, 55, 5]] + 0.02 * rng.normal(size=(4, z_ND.shape[1]))
        catalogue = Catalogue(
            rows=unit(near).astype(np.float32)[:categories],
            names=np.array([0, 1, -1, -1])[:categories],
            numbers=np.array([0, 0, 7, 2])[:categories],
            counts=np.array([9, 9, 9, 9])[:categories],
            linear=rng.normal(size=(4, z_ND.shape[1] + 1)).astype(np.float32) if linear else None,
        )
        save_model(tmp_path / "model", Model(config, weights, catalogue if shared else None, prior))
        return tmp_path / "model"

    return make


def likelihoods(model: Path) -> Floats:
    """Log-likelihoods up to a constant: the linear head where there is one, else centred cosines over 0.05."""
    z_ND, centre_D = features_of(model)
    catalogue = load_model(model).catalogue
    assert catalogue is not None
    if catalogue.linear is not None:
        head = catalogue.linear.astype(np.float64)
        return unit(z_ND - centre_D) @ head[:, :-1].T + head[:, -1]
    return unit(z_ND - centre_D) @ unit(catalogue.rows.astype(np.float64) - centre_D).T / 0.05


def assert_predicts(found: Predictions, expected_NK: Floats, out: Path) -> None:
    """``expected_NK``: posterior probabilities."""
    chosen = expected_NK.argmax(axis=1)
    assert len(set(chosen.tolist())) > 1
    assert found.categories == [LABELS[k] for k in chosen]
    np.testing.assert_array_equal(found.novel, chosen >= 2)
    np.testing.assert_allclose(found.confidence, expected_NK.max(axis=1), rtol=1e-3)
    table = pq.read_table(out).to_pydict()
    assert table["id"] == list(found.ids) == [str(i) for i in range(N)]
    assert table["category"] == found.categories
    assert table["is_novel"] == found.novel.tolist()
    np.testing.assert_array_equal(table["confidence"], found.confidence)


@pytest.mark.parametrize("linear", [False, True])
def test_with_a_uniform_prior_the_likelihood_alone_decides(
    make_model: Callable[..., Path], data: str, tmp_path: Path, linear: bool
) -> None:
    model, out = make_model(linear=linear), tmp_path / "p.parquet"
    found = predict(model, data, out)
    assert_predicts(found, softmax(likelihoods(model)), out)
    assert found.how == "4 categories of the federation's catalogue, uniform prior"


def test_a_column_of_labels_is_no_feature_whatever_its_name(
    make_model: Callable[..., Path], data: str, tmp_path: Path
) -> None:
    """The model of a deployed run does not know what the labels' column is called anywhere."""
    model, out = make_model(), tmp_path / "p.parquet"
    expected = predict(model, data, out).categories
    head, *lines = Path(data).read_text().splitlines()
    Path(data).write_text("\n".join([f"{head},diagnosis", *(f"{line},{i % 2}" for i, line in enumerate(lines))]))
    with pytest.raises(InputError, match=r"of shape \(5,\)"):
        predict(model, data, out)
    assert predict(model, data, out, label_column="diagnosis").categories == expected


@pytest.mark.parametrize("home_share", [1.0, 0.3, 0.0])
def test_a_sites_model_predicts_with_its_shares_for_what_comes_from_home(
    make_model: Callable[..., Path], data: str, tmp_path: Path, home_share: float
) -> None:
    model, out = make_model(prior=PRIOR), tmp_path / "p.parquet"
    shares = home_share * np.exp(PRIOR.astype(np.float64)) + (1 - home_share) / 4
    found = predict(model, data, out, home_share=home_share)
    assert_predicts(found, softmax(likelihoods(model) + np.log(shares)), out)
    assert found.how.endswith("site prior")
    assert found.categories == predict(model, data, out, prior="site", home_share=home_share).categories
    assert_predicts(predict(model, data, out, prior="uniform"), softmax(likelihoods(model)), out)


def test_adapting_pools_neighbours_and_estimates_the_shares_from_the_new_data(
    make_model: Callable[..., Path], data: str, tmp_path: Path
) -> None:
    """Label propagation over a dense matrix of neighbours, then expectation-maximisation."""
    model, out = make_model(prior=PRIOR), tmp_path / "p.parquet"
    z_ND, centre_D = features_of(model)
    unit_ND, own = unit(z_ND - centre_D), likelihoods(model)
    cosines = unit_ND @ unit_ND.T - 9 * np.eye(N)
    relation = np.zeros((N, N))
    np.put_along_axis(relation, np.argsort(-cosines, axis=1)[:, :10], 1.0, axis=1)
    relation = np.maximum(relation, relation.T) * (cosines > 0)
    pooled = own
    for _ in range(3):
        pooled = 0.5 * own + 0.5 * relation @ pooled / relation.sum(axis=1, keepdims=True)
    shares = np.full(4, 0.25)
    for _ in range(50):
        counts = softmax(pooled + np.log(shares)).sum(axis=0) + 1
        shares = counts / counts.sum()
    found = predict(model, data, out, prior="adapt")
    assert_predicts(found, softmax(pooled + np.log(shares)), out)
    assert found.how.endswith("adapt prior")
    assert not np.allclose(found.confidence, softmax(own).max(axis=1), rtol=1e-2)


def test_without_shared_categories_clusters_are_named_by_the_head(
    make_model: Callable[..., Path], data: str, tmp_path: Path
) -> None:
    """The head sees the second group as 'dog' and cannot tell the others' classes apart: those are numbered by size."""
    model = make_model(shared=False)
    z_ND, centre_D = features_of(model)
    loaded = load_model(model)
    group = np.repeat([0, 1, 2], [30, 20, 10])
    middle = np.stack([z_ND[group == g].mean(axis=0) for g in range(3)])
    dog = middle[1] - middle[[0, 2]].mean(axis=0)
    head = np.stack([-dog, dog, -dog])
    loaded.weights["head.weight"] = head.astype(np.float32)
    save_model(model, loaded)
    found = predict(model, data, tmp_path / "p.parquet")
    assert found.categories == [["novel-1", "dog", "novel-2"][g] for g in group]
    np.testing.assert_array_equal(found.novel, group != 1)
    assert "mean nothing elsewhere" in found.how
    cosines = unit(z_ND - centre_D) @ unit(unit(middle) - centre_D).T
    np.testing.assert_allclose(found.confidence, softmax(cosines / 0.1)[np.arange(N), group], rtol=1e-2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"prior": "flat"}, "unknown prior 'flat'; use one of site, uniform, adapt"),
        ({"home_share": 1.1}, "home share is 1.1 but must lie between 0 and 1"),
        ({"home_share": -0.1}, "home share is -0.1"),
        ({"prior": "site"}, "knows no site's prior"),
        ({"backbone": "elsewhere"}, "without a pretrained backbone; leave --backbone out"),
    ],
)
def test_settings_that_do_not_fit_the_model_get_one_sentence(
    make_model: Callable[..., Path], data: str, tmp_path: Path, settings: dict[str, object], told: str
) -> None:
    out = tmp_path / "p.parquet"
    with pytest.raises(InputError, match=told):
        predict(make_model(), data, out, **settings)
    assert not out.exists()


def test_models_and_data_that_will_not_do_get_one_sentence(
    make_model: Callable[..., Path], data: str, tmp_path: Path
) -> None:
    out, weights = tmp_path / "p.parquet", {"w": np.ones(3, np.float32)}
    with pytest.raises(InputError, match="is a folder; give the name of a Parquet file"):
        predict(make_model(), data, tmp_path)
    with pytest.raises(InputError, match="the model knows no category"):
        predict(make_model(categories=0), data, out)
    save_model(tmp_path / "graph", Model(config_of("fedlog", "graph"), weights, None))
    with pytest.raises(InputError, match=r"fedlog, whose model needs a whole graph; use 'fedlpa site adapt'"):
        predict(tmp_path / "graph", data, out)
    save_model(tmp_path / "bare", Model(config_of("local-infomap"), {}, None))
    with pytest.raises(InputError, match="local-infomap, which trains no model"):
        predict(tmp_path / "bare", data, out)
    (tmp_path / "narrow.csv").write_text("a,b\n" + "1,2\n" * 5)
    with pytest.raises(InputError, match=r"holds vectors of shape \(2,\), the model was trained on vectors of shape"):
        predict(make_model(), str(tmp_path / "narrow.csv"), out)
    assert not out.exists()
