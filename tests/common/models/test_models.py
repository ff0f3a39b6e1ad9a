import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler, normalize

from common.config import make_config
from common.errors import InputError
from common.models import all_features, build_network, feature_width, restore_network, travelling
from common.models.adapter import Adapter, adapter_width, standardise
from common.models.convnet import ConvNet


def _config(kind="images", shape=(1, 8, 8), **more):
    return make_config({"kind": kind, "sample-shape": list(shape), **more})


def _weights(network):
    return {name: tensor.numpy().copy() for name, tensor in travelling(network).items()}


def _random_weights(network, seed=1):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=tuple(t.shape)).astype(np.float32) for name, t in travelling(network).items()}


VECTORS, IMAGES = _config("vectors", (40,)), _config()


@pytest.mark.parametrize("config", [VECTORS, IMAGES])
def test_the_seed_alone_decides_the_initial_weights(config):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = _weights(build_network(config, 3))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again = _weights(build_network(config, 3))
    other = _weights(build_network(config.but(seed=1), 3))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(("config", "rows"), [(VECTORS, 3), (VECTORS, 0), (IMAGES, 4)])
def test_travelling_tensors_carry_the_whole_network(config, rows):
    network = build_network(config, rows)
    weights = _random_weights(network)
    assert {"feature_mean", "backbone.layers.0.0.weight" if config is IMAGES else "input_square"} <= weights.keys()
    assert ("head.weight" in weights) == (rows > 0)
    restored = restore_network(config, weights)
    assert not restored.training
    again = _weights(restored)
    assert again.keys() == weights.keys()
    assert all(np.array_equal(again[name], weights[name]) for name in weights)
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    x = torch.zeros(2, *config.sample_shape).to(torch.uint8 if config is IMAGES else torch.float32)
    assert torch.equal(all_features(restored, x), all_features(network, x))


def _without(weights, name):
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: {**w, "feature_mean": w["feature_mean"][:-1]},
        lambda w: {**w, "head.weight": w["head.weight"].T},
        lambda w: {**w, "more": np.zeros(1, np.float32)},
        lambda w: _without(w, "feature_mean"),
        lambda w: _without(w, "projector.0.bias"),
    ],
)
def test_weights_of_another_network_are_refused(spoil):
    weights = spoil(_weights(build_network(VECTORS, 3)))
    with pytest.raises(InputError, match="do not belong to the model"):
        restore_network(VECTORS, weights)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (_config("vectors", (4,), model="convnet"), "does not fit vectors; use --set model=adapter"),
        (_config(model="adaptor"), "unknown model 'adaptor'; did you mean 'adapter'?"),
        (make_config({}), "does not say what kind"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(config, said):
    with pytest.raises(InputError) as caught:
        build_network(config, 2)
    assert said in str(caught.value)


def test_standardise_is_standard_scaler_then_rows_of_fixed_length():
    rng = np.random.default_rng(0)
    x = rng.normal([0, 5, -300, 0.001], [1, 0.01, 40, 1e-4], (200, 4))
    x = np.column_stack([x, np.full(200, 7.0), np.full(200, 1234.567), np.zeros(200)]).astype(np.float32)
    wide = x.astype(np.float64)
    found = standardise(
        torch.from_numpy(x),
        torch.tensor(wide.mean(axis=0), dtype=torch.float32),
        torch.tensor((wide**2).mean(axis=0), dtype=torch.float32),
    )
    expected = normalize(StandardScaler().fit_transform(wide)) * (7**0.5 / 4)
    np.testing.assert_allclose(found, expected, atol=2e-2)
    np.testing.assert_allclose(found.norm(dim=1), 7**0.5 / 4, rtol=1e-5)


@pytest.mark.parametrize("d", [1, 20, 32, 100, 256])
def test_the_adapter_starts_as_its_input(d):
    torch.manual_seed(0)
    x = torch.randn(5, d)
    adapter = Adapter(d)
    z = adapter(x)
    assert z.shape == (5, adapter.width) == (5, max(32, d))
    torch.testing.assert_close(z[:, :d], x)
    assert not z[:, d:].any()


def test_the_adapter_projects_wide_input_without_dropping_a_coordinate():
    torch.manual_seed(0)
    adapter = Adapter(300)
    skip = adapter(torch.eye(300)).detach()
    assert skip.shape == (300, 256)
    assert torch.linalg.matrix_rank(skip) == 256
    assert (skip.norm(dim=1) > 0.1).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 28, 32, 64])
def test_the_convnet_takes_tiny_images_of_all_sizes(channels, side):
    x = torch.rand(2, channels, side, side, requires_grad=True)
    z = ConvNet(channels, side, side)(x)
    assert z.shape == (2, 128)
    z.sum().backward()
    reached = x.grad.abs().sum(dim=(0, 1)) > 0
    assert reached[0].any()
    assert reached[-1].any()


def test_feature_width_is_that_of_the_features():
    for config in (VECTORS, IMAGES, _config("vectors", (3,)), _config("vectors", (500,))):
        network = build_network(config, 2)
        x = torch.zeros(1, *config.sample_shape)
        assert all_features(network, x).shape == (1, feature_width(config))
    assert [adapter_width(d) for d in (3, 64, 500)] == [32, 64, 256]


def test_features_in_batches_are_unit_and_those_of_one_pass():
    network = build_network(VECTORS, 2)
    x = torch.randn(11, 40, generator=torch.Generator().manual_seed(0))
    whole = all_features(network, x)
    torch.testing.assert_close(all_features(network, x, batch=4), whole)
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(11))
    assert all_features(network, x[:0]).shape == (0, 40)


def test_head_cosines_are_cosines():
    network = build_network(VECTORS, 3)
    z = torch.nn.functional.normalize(torch.randn(4, 40), dim=1)
    rows = network.head.weight.detach()
    expected = torch.nn.functional.cosine_similarity(z[:, None], rows[None], dim=2)
    torch.testing.assert_close(network.head_cosines(z).detach(), expected)
    assert build_network(VECTORS, 0).head_cosines(z).shape == (4, 0)
