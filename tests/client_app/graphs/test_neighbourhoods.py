"""The GraphSAGE against dense loops and against torch-geometric's layers."""

import numpy as np
import pytest
import torch

from client_app.graphs.neighbourhoods import all_logits, batch_logits


def _slow_logits(network, small):
    """Node by node, from the definition of docs/fedlog.md#network."""
    w = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    x = small.x.astype(np.float64)
    near = small.slow_mean(x)
    hidden = np.zeros((small.n, 128))
    for i in range(small.n):
        hidden[i] = np.maximum(
            w["near_first.weight"] @ near[i] + w["near_first.bias"] + w["self_first.weight"] @ x[i], 0
        )
    near_hidden = small.slow_mean(hidden)
    rows = []
    for i in range(small.n):
        e = w["near_second.weight"] @ near_hidden[i] + w["near_second.bias"] + w["self_second.weight"] @ hidden[i]
        rows.append(w["head.weight"] @ e + w["head.bias"])
    return np.array(rows)


def test_the_whole_graph_is_what_loops_compute(network, small):
    np.testing.assert_allclose(all_logits(network, small.graph).numpy(), _slow_logits(network, small), atol=1e-5)


def test_the_mean_does_not_depend_on_the_block(small):
    h = torch.randn(12, 7)
    slow = small.slow_mean(h.tolist())
    for block in (1, 3, 1000):
        np.testing.assert_allclose(small.graph.mean_over_neighbours(h, block).numpy(), slow, atol=1e-6)
    assert not small.graph.mean_over_neighbours(h)[11].any()


def test_a_batch_gives_what_the_whole_graph_gives(network, small):
    everything = all_logits(network, small.graph)
    for nodes in ([3], [11], [0, 11, 5], [7, 2, 9, 1], list(range(12))):
        chosen = torch.tensor(nodes)
        found = batch_logits(network, small.graph, chosen).detach()
        torch.testing.assert_close(found, everything[chosen], atol=1e-5, rtol=1e-5)


def test_the_layers_are_torch_geometrics(network, small):
    conv = pytest.importorskip("torch_geometric.nn").SAGEConv
    first, second = conv(5, 128), conv(128, 64)
    first.load_state_dict(
        {
            "lin_l.weight": network.near_first.weight,
            "lin_l.bias": network.near_first.bias,
            "lin_r.weight": network.self_first.weight,
        }
    )
    second.load_state_dict(
        {
            "lin_l.weight": network.near_second.weight,
            "lin_l.bias": network.near_second.bias,
            "lin_r.weight": network.self_second.weight,
        }
    )
    edges = torch.from_numpy(small.edges)
    embedding = second(torch.relu(first(torch.from_numpy(small.x), edges)), edges)
    torch.testing.assert_close(network.head(embedding).detach(), all_logits(network, small.graph), atol=1e-5, rtol=1e-5)


def test_a_slot_of_one_node_whose_neighbours_look_alike_is_that_node(network, small):
    """Hidden features are averaged over neighbours after the ReLU; where all neighbours agree, that is no matter."""
    graph = small.graph
    far = graph.mean_over_neighbours(graph.near_NF)
    for node in range(12):
        near = small.neighbours(node)
        if len(near) == 1:
            found = network.slot_logits(graph.x_NF[[node]], graph.near_NF[[node]], graph.near_NF[near])
            torch.testing.assert_close(found[0].detach(), all_logits(network, graph)[node], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(far[node], graph.near_NF[near[0]])


def test_standardising_leaves_absent_neighbours_at_zero(network):
    network.input_mean.fill_(2.0)
    network.input_scale.fill_(0.5)
    rows = torch.tensor([[4.0, 2.0, 2.0, 2.0, 0.0], [0.0] * 5])
    np.testing.assert_allclose(network._standard(rows).numpy(), [[1, 0, 0, 0, -1], [0] * 5])
