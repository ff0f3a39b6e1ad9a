import copy
import shutil
import sys

import numpy as np
import pytest
import torch

from client_app.training.loop import train
from client_app.training.optimiser import make_optimiser
from common.config import make_config
from common.errors import InputError
from common.methods.registry import get_method
from common.models import all_features, build_network, feature_width, restore_network, travelling, with_backbone
from common.models.backbone_files import FOLDER_OF_BACKBONES
from common.models.pretrained import load_backbone
from common.place import Deployment
from common.run.model_files import Model, load_model, save_model
from common.wire.records import WEIGHTS

transformers = pytest.importorskip("transformers", reason="the extra 'backbones' is not installed")

KINDS = ("vit", "dinov2", "dinov3")


@pytest.fixture(scope="module")
def folders(make_backbone, tmp_path_factory):
    root = tmp_path_factory.mktemp("backbones")
    return {kind: make_backbone(root / kind, kind) for kind in KINDS}


def _config(folder, shape=(3, 16, 16), **more):
    given = {"kind": "images", "sample-shape": list(shape), "seen-classes": "a,b", "model": str(folder), **more}
    return with_backbone(make_config(given))


def _images(n=6, shape=(3, 16, 16), seed=0):
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def _state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _sentence(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_the_models_own_class_token_after_the_final_norm(kind, folders):
    x = _images(shape=(3, 32, 32))
    network = build_network(_config(folders[kind], (3, 32, 32)), 2)
    mean, std = (0.5, 0.5) if kind == "vit" else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    pixels = (x / 255 - torch.tensor(mean).reshape(-1, 1, 1)) / torch.tensor(std).reshape(-1, 1, 1)
    reference = transformers.AutoModel.from_pretrained(folders[kind], local_files_only=True).eval()
    with torch.no_grad():
        expected = reference(pixel_values=pixels).last_hidden_state[:, 0]
    torch.testing.assert_close(network.backbone(network.prepare(x)).detach(), expected)
    torch.testing.assert_close(all_features(network, x), torch.nn.functional.normalize(expected, dim=1))
    assert feature_width(_config(folders[kind])) == network.width == 32


@pytest.mark.parametrize(
    ("kind", "prefix"), [("vit", "layers"), ("dinov2", "encoder.layer"), ("dinov3", "model.layer")]
)
@pytest.mark.parametrize("blocks", [1, 2])
def test_only_the_last_blocks_travel_and_learn(kind, prefix, blocks, folders):
    network = build_network(_config(folders[kind], **{"trainable-blocks": blocks}), 2)
    names = {name for name in travelling(network) if name.startswith("backbone.")}
    expected = {f"backbone.model.{prefix}.{i}." for i in range(2 - blocks, 2)}
    assert {name[: len(next(iter(expected)))] for name in names} == expected
    assert set(travelling(network)) - names == {
        "feature_mean",
        "head.weight",
        *(f"projector.{i}.{part}" for i in (0, 2) for part in ("weight", "bias")),
    }
    contract = get_method("fedlpa").contract(_config(folders[kind], **{"trainable-blocks": blocks}), Deployment())
    assert contract.arrays[WEIGHTS].keys() == travelling(network).keys()
    network.train()
    z = network.features(network.prepare(_images()))
    (network.project(z).sum() + network.head_cosines(z).sum()).backward()
    moved = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert moved == set(travelling(network)) - {"feature_mean"}


def test_training_changes_what_travels_and_nothing_else(folders):
    config = _config(folders["vit"])
    pristine = copy.deepcopy(load_backbone(config.model).model.state_dict())
    network = build_network(config, 2)
    before = _state(network)
    options = config.options.model_copy(update={"local_epochs": 2, "batch_size": 8})
    torch.manual_seed(0)
    losses = train(
        network,
        _images(24),
        np.array([0, 1, -1] * 8),
        options,
        kind="images",
        learning_rate=1e-2,
        neighbours=None,
        alignment=None,
        alignment_options=None,
        teacher_temperature=0.05,
        rng=np.random.default_rng(0),
    )
    assert losses["total"] > 0
    after = _state(network)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    # A key's bias shifts every score of a query alike, which the softmax takes back: its gradient is rounding.
    still = set(travelling(network)) - {"feature_mean"} - changed
    assert still <= {"backbone.model.layers.1.attention.k_proj.bias"}
    assert "backbone.model.layers.1.attention.k_proj.bias" in before
    assert changed <= set(travelling(network))
    now = load_backbone(config.model).model.state_dict()
    assert all(torch.equal(now[name], pristine[name]) for name in pristine)
    untouched = build_network(config, 2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in _state(untouched).items())


def test_pretrained_blocks_learn_slower_than_what_starts_at_random(folders):
    config = _config(folders["vit"], **{"pretrained-rate": "0.25"})
    network = build_network(config, 2)
    optimiser = make_optimiser(network, config.options, 0.1)
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert len(rates) == sum(p.requires_grad for p in network.parameters())
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert rates[id(parameter)] == (0.025 if name.startswith("backbone.") else 0.1)


def test_without_trainable_blocks_a_residual_starts_as_the_identity_and_learns(folders):
    frozen = build_network(_config(folders["vit"], **{"trainable-blocks": 0}), 2)
    x = _images()
    torch.testing.assert_close(all_features(frozen, x), all_features(build_network(_config(folders["vit"]), 2), x))
    names = {name for name in travelling(frozen) if name.startswith("backbone.")}
    assert names == {f"backbone.residual.{i}.{part}" for i in (0, 2) for part in ("weight", "bias")}
    frozen.features(frozen.prepare(x)).sum().backward()
    assert frozen.backbone.residual[2].weight.grad.abs().sum() > 0


def test_the_frozen_part_stays_in_evaluation_mode(folders):
    network = build_network(_config(folders["vit"]), 2).train()
    training = {name for name, part in network.backbone.model.named_modules() if part.training}
    assert training
    assert all(name.startswith("layers.1") for name in training)
    network.eval()
    assert not any(part.training for part in network.modules())


def test_the_seed_decides_what_is_new_whether_the_files_were_read_before_or_not(folders, make_backbone, tmp_path):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    fresh = make_backbone(tmp_path / "fresh")
    first = _state(build_network(_config(fresh), 2))
    assert torch.equal(torch.get_rng_state(), state)
    again = _state(build_network(_config(fresh), 2))
    other = _state(build_network(_config(fresh, seed=1), 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["projector.0.weight"], other["projector.0.weight"])
    block = "backbone.model.layers.1.mlp.fc1.weight"
    assert torch.equal(first[block], other[block])


def test_networks_share_the_memory_of_what_is_frozen(folders):
    one, two = (build_network(_config(folders["vit"]), 2) for _ in range(2))
    same = {
        name
        for (name, a), (_, b) in zip(
            one.backbone.model.named_parameters(), two.backbone.model.named_parameters(), strict=True
        )
        if a.data_ptr() == b.data_ptr()
    }
    assert same == {name for name, p in one.backbone.model.named_parameters() if not p.requires_grad}


def test_weights_go_and_come_back_through_a_model_folder(folders, tmp_path):
    config = _config(folders["dinov2"])
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=tuple(tensor.shape), scale=0.1).astype(np.float32)
        for name, tensor in travelling(build_network(config, 2)).items()
    }
    save_model(tmp_path / "model", Model(config, weights, None))
    loaded = load_model(tmp_path / "model")
    restored = restore_network(loaded.config, loaded.weights)
    assert not restored.training
    for name, tensor in travelling(restored).items():
        np.testing.assert_array_equal(tensor.numpy(), weights[name])
    direct = build_network(config, 2)
    direct.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=False)
    assert torch.equal(all_features(restored, _images()), all_features(direct, _images()))
    size = (tmp_path / "model" / "weights.safetensors").stat().st_size
    assert size < sum(array.nbytes for array in weights.values()) + 5000


def test_neighbours_are_sought_in_the_initial_features_whatever_was_learnt(folders):
    config = _config(folders["vit"], (1, 8, 8))
    network = build_network(config, 2)
    x = _images(shape=(1, 8, 8))
    first = network.neighbour_input(x)
    torch.testing.assert_close(first, network.backbone(network.prepare(x)).detach())
    with torch.no_grad():
        for parameter in network.backbone.pretrained_parameters():
            parameter.add_(torch.randn_like(parameter))
    assert not torch.allclose(network.backbone(network.prepare(x)), first)
    assert torch.equal(network.neighbour_input(x), first)
    assert network.neighbour_input(x[:0]).shape == all_features(network, x[:0]).shape == (0, 32)
    pixels = build_network(config.but(model="auto", backbone_hash=""), 2)
    torch.testing.assert_close(pixels.neighbour_input(x), x.flatten(1) / 255)


def test_images_take_the_preprocessors_size_mean_and_deviation(make_backbone, tmp_path):
    folder = make_backbone(
        tmp_path / "m",
        preprocessor={
            "size": {"shortest_edge": 40},
            "crop_size": {"height": 24, "width": 24},
            "image_mean": [0.1, 0.2, 0.3],
            "image_std": [0.5, 0.25, 0.125],
            "resample": 3,
        },
    )
    network = build_network(_config(folder, (1, 8, 8)), 2)
    flat = network.prepare(torch.full((2, 1, 8, 8), 51, dtype=torch.uint8))
    assert flat.shape == (2, 3, 24, 24)
    for channel, value in enumerate([0.2, 0.0, -0.8]):
        torch.testing.assert_close(flat[:, channel], torch.full((2, 24, 24), value), atol=1e-5, rtol=0)
    assert all_features(network, _images(shape=(1, 8, 8))).shape == (6, 32)
    larger = build_network(_config(folder, **{"backbone-image-size": 48}), 2)
    assert larger.prepare(_images(2)).shape == (2, 3, 48, 48)
    assert all_features(larger, _images(2)).shape == (2, 32)
    with pytest.raises(InputError) as error:
        build_network(_config(folder, **{"backbone-image-size": 30}), 2)
    assert "multiple of 8" in _sentence(error)


def test_resizing_agrees_with_pillow(make_backbone, tmp_path):
    from PIL import Image

    folder = make_backbone(tmp_path / "m")
    x = _images(1, (3, 50, 50))
    network = build_network(_config(folder, (3, 50, 50)), 2)
    found = network.prepare(x)[0].permute(1, 2, 0) * 127.5 + 127.5
    reference = Image.fromarray(x[0].permute(1, 2, 0).numpy()).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(found.numpy() - np.asarray(reference)).max() < 1.5


def _no_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])


def _lose_a_tensor(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop("embeddings.cls_token")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "is not a model (config.json is missing)"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be loaded as a model"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "none-such"}'), "cannot be loaded"),
        (
            lambda folder: (folder / "preprocessor_config.json").write_text("{"),
            "preprocessor_config.json cannot be used",
        ),
        (
            lambda folder: (folder / "preprocessor_config.json").write_text('{"size": {"height": "x", "width": 1}}'),
            "preprocessor_config.json cannot be used",
        ),
        (_no_weights, "pickled weights are never loaded"),
        (_cut, "cannot be loaded as a model"),
        (_lose_a_tensor, "lacks 1 tensors of a ViTModel, such as embeddings.cls_token"),
        (shutil.rmtree, "does not exist"),
    ],
)
def test_a_folder_that_will_not_do_is_told_in_a_sentence(damage, said, make_backbone, tmp_path):
    folder = make_backbone(tmp_path / "m")
    damage(folder)
    with pytest.raises(InputError) as error:
        _config(folder)
    assert said in _sentence(error)


def test_a_language_model_is_refused(tmp_path):
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=10
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="BertModel, which gives no features for images alone"):
        _config(tmp_path / "bert")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("convnte", "unknown model 'convnte'; did you mean 'convnet'? A pretrained backbone is given as a folder"),
        ("facebook/dino-vits16", "for a model of the hub write hf:facebook/dino-vits16"),
        ("/no/such/folder", "the model folder /no/such/folder does not exist"),
        ("hf:", "names no model of the hub"),
        ("hf:a/b/c", "names no model of the hub"),
    ],
)
def test_names_that_lead_nowhere(model, said):
    config = make_config({"kind": "images", "sample-shape": [3, 16, 16], "model": model})
    with pytest.raises(InputError) as error:
        build_network(config, 2)
    assert said in _sentence(error)


def test_vectors_and_more_blocks_than_there_are_are_refused(folders):
    with pytest.raises(InputError, match="takes images, not vectors; use --set model=adapter"):
        build_network(_config(folders["vit"]).but(kind="vectors", sample_shape=[4]), 2)
    with pytest.raises(InputError, match="trainable-blocks=3 exceeds the 2 blocks"):
        build_network(_config(folders["vit"], **{"trainable-blocks": 3}), 2)
    with pytest.raises(InputError, match="takes images of 3 channels, the data has 2"):
        build_network(_config(folders["vit"], (2, 16, 16)), 2)


def test_another_backbone_than_the_runs_is_refused(folders, make_backbone, tmp_path):
    config = _config(folders["vit"])
    other = make_backbone(tmp_path / "vit", seed=1)
    for build in (lambda c: build_network(c, 2), with_backbone, feature_width):
        with pytest.raises(InputError) as error:
            build(config.but(model=str(other)))
        assert "is another backbone than the run's" in _sentence(error)
    shutil.copytree(folders["vit"], tmp_path / "copy")
    assert with_backbone(config.but(model=str(tmp_path / "copy"))).backbone_hash == config.backbone_hash
    (tmp_path / "copy" / "preprocessor_config.json").write_text('{"image_mean": [0.4, 0.4, 0.4]}')
    with pytest.raises(InputError, match="another backbone"):
        build_network(config.but(model=str(tmp_path / "copy")), 2)


def test_the_hash_does_not_depend_on_how_the_weights_are_cut_into_files(folders, tmp_path):
    whole = load_backbone(str(folders["vit"]))
    model = transformers.ViTModel.from_pretrained(folders["vit"], local_files_only=True)
    model.save_pretrained(tmp_path / "cut", max_shard_size="20KB")
    assert len(list((tmp_path / "cut").glob("*.safetensors"))) > 1
    assert load_backbone(str(tmp_path / "cut")).fingerprint == whole.fingerprint


def test_a_site_finds_the_backbone_in_a_folder_of_its_own(folders, tmp_path, monkeypatch):
    config = _config(folders["vit"]).but(model="/at/the/server/vit")
    with pytest.raises(InputError, match=f"set {FOLDER_OF_BACKBONES}"):
        build_network(config, 2)
    monkeypatch.setenv(FOLDER_OF_BACKBONES, str(folders["vit"].parent))
    assert build_network(config, 2).width == 32
    assert build_network(config.but(model="hf:owner/vit@main"), 2).width == 32


def test_a_relative_folder_starts_where_it_is_told_to(folders, monkeypatch):
    root = folders["vit"].parent
    settings = {"kind": "images", "sample-shape": [3, 16, 16], "model": f"../{root.name}/vit"}
    settled = with_backbone(make_config(settings), root)
    assert settled.backbone_hash == load_backbone(str(folders["vit"])).fingerprint
    monkeypatch.chdir(root)
    assert with_backbone(make_config({**settings, "model": "vit"})).model == str(root / "vit")


def test_a_hub_name_is_looked_up_here_first_then_downloaded_without_pickles(folders, tmp_path, monkeypatch):
    import huggingface_hub

    calls = []

    def snapshot(repository, *, revision, allow_patterns, local_files_only=False):
        calls.append((repository, revision, local_files_only))
        assert all(pattern.endswith((".json", ".safetensors")) for pattern in allow_patterns)
        if local_files_only and len(calls) == 1:
            raise FileNotFoundError("not here yet")
        return str(folders["vit"])

    monkeypatch.delenv(FOLDER_OF_BACKBONES, raising=False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    found = load_backbone("hf:owner/tiny@v1")
    assert found.fingerprint == load_backbone(str(folders["vit"])).fingerprint
    assert calls == [("owner/tiny", "v1", True), ("owner/tiny", "v1", False)]
    load_backbone("hf:owner/tiny@v1")
    assert calls[2:] == [("owner/tiny", "v1", True)]

    def fail(*args, **kwargs):
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(InputError) as error:
        load_backbone("hf:owner/tiny@v2")
    assert "cannot be had from the hub (ConnectionError: no route)" in _sentence(error)


def test_without_transformers_there_is_a_sentence(folders, monkeypatch, make_backbone, tmp_path):
    folder = make_backbone(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError) as error:
        _config(folder)
    assert "pip install 'fedlpa[backbones]'" in _sentence(error)


def test_other_families_work_through_the_same_door(tmp_path):
    resnet = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    transformers.ResNetModel(resnet).save_pretrained(tmp_path / "resnet")
    swin = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
    )
    transformers.SwinModel(swin).save_pretrained(tmp_path / "swin")
    for name in ("resnet", "swin"):
        network = build_network(_config(tmp_path / name, **{"backbone-image-size": 32}), 2).train()
        assert network.features(network.prepare(_images(2))).shape == (2, 16)
        inside = {n for n in travelling(network) if n.startswith("backbone.")}
        assert inside
        assert not any("running" in n or "tracked" in n for n in inside)
        reference = transformers.AutoModel.from_pretrained(tmp_path / name, local_files_only=True).eval()
        with torch.no_grad():
            expected = reference(pixel_values=network.prepare(_images(2))).pooler_output.flatten(1)
        torch.testing.assert_close(network.eval().backbone(network.prepare(_images(2))).detach(), expected)
