import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from client_app.training.alignment import align_to_rows, make_prior
from client_app.training.loop import teacher_temperature_at, train
from client_app.training.neighbours import mutual_neighbours
from common.config import make_config
from common.models import all_features, build_network, travelling

DIGITS = load_digits()
X = torch.from_numpy(DIGITS.data[:48].astype(np.float32) / 8 - 1)
TRUTH = DIGITS.target[:48]
HALF = np.where((TRUTH < 5) & (np.arange(48) % 2 == 0), TRUTH, -1)
BASE = {"kind": "vectors", "sample-shape": [64], "local-epochs": 1, "batch-size": 16}
LOSSES = {"contrastive", "supervised", "self-distillation", "prior-alignment"}


def _train(network, config, labels=HALF, x=X, alignment=None, neighbours=None, seed=0):
    torch.manual_seed(seed)
    return train(
        network,
        x,
        labels,
        config.options,
        kind="vectors",
        learning_rate=1e-3,
        neighbours=neighbours,
        alignment=alignment,
        alignment_options=config.options,
        teacher_temperature=0.05,
        rng=np.random.default_rng(seed),
    )


def _config(**settings):
    return make_config(BASE | {name.replace("_", "-"): value for name, value in settings.items()})


def _aligned(network):
    z = all_features(network, X)
    rows = torch.stack([z[c == TRUTH].mean(dim=0) for c in range(10)])
    return align_to_rows(rows, z.mean(dim=0), TRUTH)


def test_the_loss_of_a_tiny_problem_falls():
    config = _config(local_epochs=5)
    network = build_network(config, 5)
    neighbours = mutual_neighbours(X, HALF, 5)
    first = _train(network, config, alignment=_aligned(network), neighbours=neighbours)
    last = _train(network, config, alignment=_aligned(network), neighbours=neighbours)
    assert first.keys() == {"total", *LOSSES}
    assert last["total"] < 0.95 * first["total"]
    assert last["supervised"] < first["supervised"]
    assert last["contrastive"] < first["contrastive"]


def test_the_seed_repeats_the_weights():
    config = _config()
    results = []
    for seed in (1, 1, 2):
        network = build_network(config, 5)
        _train(network, config, seed=seed)
        results.append({name: tensor.clone() for name, tensor in travelling(network).items()})
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    assert not all(torch.equal(results[0][name], results[2][name]) for name in results[0])


@pytest.mark.parametrize(
    ("switch", "gone"),
    [
        ({}, set()),
        ({"contrastive_weight": 0}, {"contrastive"}),
        ({"supcon": False, "cross_entropy": False}, {"supervised"}),
        ({"supervised_weight": 0}, {"supervised"}),
        ({"distillation_weight": 0}, {"self-distillation"}),
        ({"prior_weight": 0}, {"prior-alignment"}),
    ],
)
def test_each_switch_removes_its_term(switch, gone):
    config = _config(**switch)
    network = build_network(config, 5)
    losses = _train(network, config, alignment=_aligned(network))
    assert losses.keys() == {"total", *LOSSES} - gone


def test_the_supervised_parts_add_up():
    # One step on one batch, so that every configuration sees the same features.
    def supervised(**switch):
        config = _config(batch_size=48, **switch)
        return _train(build_network(config, 5), config)["supervised"]

    both, contrast, classes = supervised(), supervised(cross_entropy=False), supervised(supcon=False)
    assert both == pytest.approx(contrast + classes, rel=1e-5)
    assert contrast != pytest.approx(classes, rel=0.01)


def test_the_total_weighs_the_supervised_share_and_the_terms():
    def losses(**switch):
        config = _config(batch_size=48, supervised_weight=0.3, **switch)
        network = build_network(config, 5)
        return _train(network, config, alignment=_aligned(network))

    plain = losses(prior_weight=1.0)
    rest = sum(plain[name] for name in LOSSES - {"supervised"})
    assert plain["total"] == pytest.approx(0.3 * plain["supervised"] + 0.7 * rest, rel=1e-5)
    weighted = losses(prior_weight=0.5, distillation_weight=2.0, contrastive_weight=3.0)
    for name, factor in (("prior-alignment", 0.5), ("self-distillation", 2.0), ("contrastive", 3.0)):
        assert weighted[name] == pytest.approx(factor * plain[name], rel=1e-5)


def test_cross_entropy_teaches_the_head():
    config = _config(contrastive_weight=0, supcon=False, supervised_weight=1.0, local_epochs=15, augmentation=0)
    network = build_network(config, 5)
    _train(network, config)
    predicted = network.head_cosines(all_features(network, X)).argmax(dim=1).numpy()
    assert (predicted[HALF >= 0] == HALF[HALF >= 0]).mean() > 0.9


def test_without_labels_there_is_no_supervised_term():
    config = _config()
    assert _train(build_network(config, 5), config, labels=np.full(48, -1)).keys() == {"total", "contrastive"}


def test_nothing_to_train_on_leaves_the_network_alone():
    config = _config()
    network = build_network(config, 5)
    before = {name: tensor.clone() for name, tensor in travelling(network).items()}
    assert _train(network, config, labels=HALF[:1], x=X[:1]) == {}
    off = _config(contrastive_weight=0)
    assert _train(network, off, labels=np.full(48, -1)) == {}
    assert all(torch.equal(tensor, before[name]) for name, tensor in travelling(network).items())


@pytest.mark.parametrize("n", [2, 3, 17])
def test_small_sites_train(n):
    config = _config()
    network = build_network(config, 5)
    losses = _train(network, config, labels=HALF[:n], x=X[:n])
    assert np.isfinite(losses["total"])
    assert all(torch.isfinite(tensor).all() for tensor in travelling(network).values())


def test_the_prior_of_a_batch_counts_its_samples_categories():
    prior = make_prior(3, np.array([2, 0, 2, 1]), torch.device("cpu"))
    assert prior(np.array([0, 2, 1])).tolist() == pytest.approx([1.1 / 3.3, 0.1 / 3.3, 2.1 / 3.3])
    assert make_prior(4, None, torch.device("cpu"))(np.array([0])).tolist() == [0.25] * 4


def test_alignment_scores_are_centred_cosines():
    rng = np.random.default_rng(0)
    z, rows, centre = (torch.from_numpy(rng.normal(size=shape)) for shape in ((5, 4), (3, 4), (4,)))
    found = align_to_rows(rows, centre, None).score(z)
    expected = torch.nn.functional.cosine_similarity((z - centre)[:, None], (rows - centre)[None], dim=2)
    torch.testing.assert_close(found, expected)


def test_the_teacher_sharpens_over_the_first_third():
    options = _config(teacher_temperature=0.04, teacher_temperature_start=0.07).options
    at = [teacher_temperature_at(options, p) for p in (0, 0.15, 0.3, 1.0)]
    assert at == pytest.approx([0.07, 0.055, 0.04, 0.04])
    assert teacher_temperature_at(_config().options, 0.0) == 0.05
