"""One round of FedLoG on a large graph, and against per-node Python loops: ``python benchmarks/graph_round.py``.

Prints seconds and the peak memory of a graph of 100,000 nodes and 1,000,000 edges, seconds as the edges double, and
the ratio to a slow version that walks over nodes and neighbours one at a time (as published code does over classes
and nodes). Compare ratios, not seconds, between machines.
"""

import argparse
import resource
import time

import numpy as np
import torch

from client_app.graphs.epoch import train_epoch
from client_app.graphs.neighbourhoods import GraphTensors, make_tensors
from client_app.methods.fedlog.condensation import condense
from client_app.methods.fedlog.slot_training import slot_tensors, training_prior
from common.data.graph import undirected
from common.methods.fedlog.slots import Slots
from common.models.graph_sage import GraphSage, build_graph_sage

FEATURES, CLASSES = 100, 7


def made(nodes: int, edges: int, seed: int = 0) -> tuple[GraphTensors, np.ndarray, np.ndarray]:
    """A random graph, labels, and 40 % of the nodes to train on."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, nodes)
    x = rng.normal(size=(nodes, FEATURES)).astype(np.float32) + labels[:, None] * 0.1
    pairs = undirected(rng.integers(0, nodes, edges), rng.integers(0, nodes, edges), nodes)
    return make_tensors(x.astype(np.float32), pairs), labels, rng.random(nodes) < 0.4


def fast_round(network: GraphSage, graph: GraphTensors, labels: np.ndarray, train: np.ndarray) -> float:
    """Seconds of a round: condensation and one epoch with slots."""
    started = time.perf_counter()
    slots = condense(graph, labels, train, np.random.default_rng(0))
    prior = training_prior(np.bincount(labels[train], minlength=CLASSES))
    nodes = torch.from_numpy(np.flatnonzero(train))
    train_epoch(
        network,
        graph,
        nodes,
        torch.from_numpy(labels)[nodes],
        slot_tensors(slots),
        torch.tensor(np.log(prior), dtype=torch.float32),
        learning_rate=5e-4,
        weight_decay=5e-4,
        batch_size=64,
    )
    return time.perf_counter() - started


def slow_round(network: GraphSage, graph: GraphTensors, labels: np.ndarray, train: np.ndarray) -> float:
    """The same mathematics, one node, one neighbour and one slot at a time."""
    started = time.perf_counter()
    starts, neighbours = graph.starts.tolist(), graph.neighbours.tolist()

    def near(node: int, rows: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(rows.shape[1])
        for place in range(starts[node], starts[node + 1]):
            total = total + rows[neighbours[place]]
        return total / max(1, starts[node + 1] - starts[node])

    def hidden(node: int) -> torch.Tensor:
        return network.first(near(node, graph.x_NF)[None], graph.x_NF[node][None])[0]

    slots: Slots = condense(graph, labels, train, np.random.default_rng(0))
    weights = slots.weights()
    prior = torch.tensor(np.log(training_prior(np.bincount(labels[train], minlength=CLASSES))))
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-4, weight_decay=5e-4)
    order = np.random.default_rng(0).permutation(np.flatnonzero(train))
    for start in range(0, max(1, len(order) // 64) * 64, 64):
        chosen = order[start : start + 64]
        loss = torch.zeros(())
        for node in chosen.tolist():
            total = torch.zeros(128)
            for place in range(starts[node], starts[node + 1]):
                total = total + hidden(neighbours[place])
            mean = total / max(1, starts[node + 1] - starts[node])
            logits = network.logits(network.second(mean[None], hidden(node)[None])) + prior
            loss = loss + torch.nn.functional.cross_entropy(logits, torch.tensor([labels[node]])) / len(chosen)
        for j in range(len(slots)):
            parts = (torch.from_numpy(part[j][None].copy()) for part in (slots.x, slots.near, slots.far))
            logits = network.slot_logits(*parts) + prior
            label = torch.tensor([int(slots.labels[j])])
            loss = loss + float(weights[j]) * torch.nn.functional.cross_entropy(logits, label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    given = parser.parse_args()
    torch.set_num_threads(1)

    def network() -> GraphSage:
        return build_graph_sage(FEATURES, CLASSES, seed=0, dropout=0.5, cosine=False)

    small = made(1000, 10_000)
    fast_round(network(), *small)
    fast, slow = min(fast_round(network(), *small) for _ in range(3)), slow_round(network(), *small)
    print(f"1,000 nodes, 10,000 edges: {fast:.2f} s; loops over nodes {slow:.2f} s: {slow / fast:.0f} times as long")
    last = None
    for part in (4, 2, 1):
        graph = made(given.nodes // part, given.edges // part)
        seconds = fast_round(network(), *graph)
        grown = "" if last is None else f", {seconds / last:.2f} times the half"
        print(
            f"{given.nodes // part:,} nodes, {given.edges // part:,} edges: {seconds:.1f} s a round{grown}", flush=True
        )
        last = seconds
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
