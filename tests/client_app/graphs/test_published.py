"""The published form at a site: its loss, its gradients, its generator and its scaling, on a graph of 12 nodes."""

import numpy as np
import pytest
import torch

from client_app.graphs.neighbourhoods import make_tensors
from client_app.methods.fedlog_published.branch_training import (
    STEP,
    all_log_probs,
    federation_log_probs,
    loss_terms,
    train_epoch,
    update_scaling,
)
from client_app.methods.fedlog_published.prompts import gradient_distance, matching_loss, train_generator
from client_app.methods.fedlog_published.site_model import SiteModel
from common.models.graph_sage import GraphSage
from common.models.neighbour_generator import NeighbourGenerator, generate
from common.models.prototype_sage import PrototypeSage, head_share

SLOTS = 2


def _relu(row):
    return np.maximum(row, 0)


def _dense(layer, row):
    bias = 0.0 if layer.bias is None else layer.bias.detach().double().numpy()
    return layer.weight.detach().double().numpy() @ np.asarray(row, dtype=np.float64) + bias


@pytest.fixture
def generators(small):
    torch.manual_seed(5)
    each = [NeighbourGenerator(small.features).state_dict() for _ in range(small.classes)]
    return {name: torch.stack([tensors[name] for tensors in each]) for name in each[0]}


@pytest.fixture
def model(small):
    torch.manual_seed(2)
    network = PrototypeSage(small.features, dropout=0.0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "step" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            if "norm.weight" in name:
                parameter.mul_(0.2)
    return SiteModel(network, {name: torch.randn(small.classes, SLOTS, small.features) for name in network.branches})


def _training(small):
    nodes = torch.from_numpy(np.flatnonzero(small.train))
    return nodes, torch.from_numpy(small.labels)[nodes]


def test_every_class_generates_with_its_own_generator(small, generators):
    x = torch.randn(small.classes, SLOTS, small.features)
    found = generate(generators, x)
    for c in range(small.classes):
        one = NeighbourGenerator(small.features).eval()
        one.load_state_dict({name: tensor[c] for name, tensor in generators.items()})
        for j in range(SLOTS):
            h = _relu(_dense(one.first, x[c, j]))
            slow = np.tanh(_dense(one.third, _relu(_dense(one.second, h))))
            np.testing.assert_allclose(found[c, j].numpy(), slow, atol=1e-5)


@pytest.mark.parametrize("prompted", [True, False])
def test_a_synthetic_node_passes_as_one_with_its_generated_neighbour(small, model, generators, prompted):
    """Against the same pair of nodes as a graph of its own."""
    x = model.synthetic["head"].detach()
    embedded = model.embedded(generators if prompted else None)["head"]
    for c in range(small.classes):
        for j in range(SLOTS):
            neighbour = generate(generators, x)[c, j]
            pair = np.stack([x[c, j].numpy(), neighbour.numpy()]) if prompted else x[c, j][None].numpy()
            edges = np.array([[0, 1], [1, 0]]) if prompted else np.zeros((2, 0), dtype=np.int64)
            graph = make_tensors(pair, edges)
            h = model.network.embedder.first(graph.near_NF, graph.x_NF)
            slow = model.network.embedder.second(graph.mean_over_neighbours(h), h)[0]
            np.testing.assert_allclose(embedded[c, j].detach(), slow.detach(), atol=1e-5)


def test_the_loss_is_real_nodes_norm_and_the_federations_nodes(small, model, generators):
    nodes, labels = _training(small)
    federation = torch.randn(small.classes, SLOTS, small.features)
    terms = loss_terms(model, small.graph, nodes, labels, federation, generators)
    whole = all_log_probs(model, small.graph, generators)
    real = -np.mean([float(whole[v, y]) for v, y in zip(nodes.tolist(), labels.tolist(), strict=True)])
    rows = [float(np.linalg.norm(row)) for x in model.synthetic.values() for part in x.detach() for row in part.numpy()]
    log_probs = federation_log_probs(model, model.embedded(generators), federation, generators).detach()
    told = -np.mean([float(log_probs[c * SLOTS + j, c]) for c in range(small.classes) for j in range(SLOTS)])
    assert float(terms["real"]) == pytest.approx(real, abs=1e-5)
    assert float(terms["norm"]) == pytest.approx(np.mean(rows), abs=1e-5)
    assert float(terms["slots"]) == pytest.approx(told, abs=1e-5)
    assert "slots" not in loss_terms(model, small.graph, nodes, labels, None, generators)


def test_branches_count_by_degree_on_the_graph(small, model, generators):
    synthetic = model.embedded(generators)
    h = model.network.embedder.first(small.graph.near_NF, small.graph.x_NF)
    query = model.network.embed(small.graph.mean_over_neighbours(h), h)
    head, tail = (model.network.branches[name](query, synthetic[name]).exp() for name in ("head", "tail"))
    share = head_share(torch.tensor([float(len(small.neighbours(v))) for v in range(small.n)]))[:, None]
    expected = (share * head + (1 - share) * tail).detach()
    np.testing.assert_allclose(all_log_probs(model, small.graph, generators, block=5).exp(), expected, atol=1e-5)


@pytest.mark.parametrize("prompted", [True, False])
def test_every_trainable_tensor_gets_a_gradient_and_moves(small, model, generators, prompted):
    nodes, labels = _training(small)
    federation = torch.randn(small.classes, SLOTS, small.features)
    given = generators if prompted else None
    terms = loss_terms(model, small.graph, nodes, labels, federation, given)
    (terms["real"] + terms["slots"]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 1e-7, name
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    rates = {"learning_rate": 1e-3, "synthetic_learning_rate": 1e-2, "weight_decay": 0.0, "batch_size": 4}
    train_epoch(model, small.graph, nodes, labels, federation, given, **rates, norm_weight=1.0, synthetic_weight=1.0)
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, before[name]), name


def test_without_prompts_the_network_needs_no_neighbours_weights_for_synthetic_nodes(small, model):
    """A switch that is off leaves no trace: a node without neighbour passes as an isolated one."""
    h = model.network.embedder.first(small.graph.near_NF[11:], small.graph.x_NF[11:])
    isolated = model.network.embedder.second(torch.zeros_like(h), h)
    bare = model.network.embed_bare(small.graph.x_NF[11:]).own_NE
    np.testing.assert_allclose(bare.detach(), isolated.detach(), atol=1e-6)


def test_gamma_rises_where_a_class_is_told_and_falls_elsewhere_within_0_and_1(small, model, generators):
    federation = torch.randn(small.classes, SLOTS, small.features)
    model.gamma.copy_(torch.tensor([0.5, 0.0, 0.9999]))
    log_probs = federation_log_probs(model, model.embedded(generators), federation, generators).detach()
    expected = []
    for c, gamma in enumerate((0.5, 0.0, 0.9999)):
        right = sum(int(log_probs[c * SLOTS + j].argmax()) == c for j in range(SLOTS)) / SLOTS
        expected.append(min(1.0, max(0.0, gamma + (STEP if right > 0.8 else -STEP))))
    update_scaling(model, federation, generators)
    np.testing.assert_allclose(model.gamma, expected, atol=1e-7)


def test_gradient_distance_is_relative_to_each_true_gradient():
    true = (torch.tensor([3.0, 4.0]), torch.zeros(2))
    made = (torch.tensor([0.0, 4.0]), torch.tensor([1.0, 2.0]))
    assert float(gradient_distance(made, true)) == pytest.approx((9 / 25 + 5) / 2)


def test_the_generators_loss_matches_gradients_taken_by_finite_differences(small):
    """The gradients of both losses by nudging every weight of a small network, in float64."""
    torch.manual_seed(0)
    nodes, labels = _training(small)
    nodes, labels = nodes[:-1], labels[:-1]  # node 11 has no neighbour
    generator = NeighbourGenerator(small.features).eval().double()
    network = GraphSage(small.features, small.classes, 0.0).double()
    network.near_first.weight.data[4:] = 0  # few weights left to nudge
    graph = make_tensors(small.x.astype(np.float64), small.edges)
    graph = type(graph)(graph.x_NF, graph.near_NF, graph.starts, graph.neighbours, graph.degrees.double())
    found = float(matching_loss(generator, network, graph, nodes, labels).detach())
    with torch.no_grad():
        made_x = generator(graph.x_NF[nodes])

        def losses():
            h = network.first(graph.near_NF, graph.x_NF)
            true = network.logits(network.second(torch.from_numpy(small.slow_mean(h.numpy())), h))[nodes]
            x = graph.x_NF[nodes]
            made = network.slot_logits(x, made_x, x)
            return [float(torch.nn.functional.cross_entropy(logits, labels)) for logits in (true, made)]

        terms = []
        for parameter in network.parameters():
            flat, size, apart = parameter.view(-1), 0.0, 0.0
            chosen = range(flat.numel()) if flat.numel() <= 128 else []
            if not chosen:
                continue
            for i in chosen:
                flat[i] += 1e-5
                up = losses()
                flat[i] -= 2e-5
                down = losses()
                flat[i] += 1e-5
                true, made = ((a - b) / 2e-5 for a, b in zip(up, down, strict=True))
                size, apart = size + true**2, apart + (made - true) ** 2
            terms.append(apart / size)
        near = np.mean(
            [np.sum((a - b) ** 2) for a, b in zip(made_x.numpy(), graph.near_NF[nodes].numpy(), strict=True)]
        )
    exact = _exact_terms(generator, network, graph, nodes, labels)
    for slow in terms:
        assert any(slow == pytest.approx(value, rel=1e-3) for value in exact)
    assert len(terms) >= 3
    assert found == pytest.approx(np.mean(exact) + near, rel=1e-6)


def _exact_terms(generator, network, graph, nodes, labels):
    """One relative distance for each of the network's tensors, each from its own backward pass."""
    from client_app.graphs.neighbourhoods import batch_logits

    terms = []
    x = graph.x_NF[nodes]
    for parameter in network.parameters():
        pair = []
        for logits in (batch_logits(network, graph, nodes), network.slot_logits(x, generator(x), x)):
            loss = torch.nn.functional.cross_entropy(logits, labels)
            pair.append(torch.autograd.grad(loss, parameter)[0])
        true, made = pair
        terms.append(float(((made - true) ** 2).sum() / (true**2).sum()))
    return terms


def test_training_the_generator_brings_it_nearer_and_isolated_nodes_do_no_harm(small):
    nodes, labels = _training(small)
    given = {"batch_size": 4, "learning_rate": 1e-3, "seed": 1}
    untrained = train_generator(small.graph, nodes, labels, small.classes, epochs=0, **given)
    trained = train_generator(small.graph, nodes, labels, small.classes, epochs=30, **given)
    assert all(bool(torch.isfinite(p).all()) for p in trained.parameters())
    torch.manual_seed(9)
    other = GraphSage(small.features, small.classes, 0.0)
    before, after = (
        float(matching_loss(g, other, small.graph, nodes[:-1], labels[:-1]).detach()) for g in (untrained, trained)
    )
    assert after < before
    lonely = make_tensors(small.x, np.zeros((2, 0), dtype=np.int64))
    same = train_generator(lonely, nodes, labels, small.classes, epochs=2, **given)
    for a, b in zip(same.parameters(), untrained.parameters(), strict=True):
        assert torch.equal(a, b)
