"""Pre-training the embedder as a plain GraphSAGE; validation chooses the epoch (docs/fedlog.md#pre-training)."""

import copy

import torch

from client_app.graphs.neighbourhoods import GraphTensors, all_logits
from client_app.graphs.node_data import graph_data
from client_app.graphs.node_training import train_locally
from client_app.method import Task
from common.methods.fedlog_published import PublishedOptions
from common.models.graph_sage import SageEmbedder, build_graph_sage

PATIENCE = 10


def pretrain(task: Task[PublishedOptions], embedder: SageEmbedder, graph: GraphTensors) -> int:
    """Give ``embedder`` the weights of the best epoch by validation accuracy.

    It ends ten epochs after the best; sites without validation nodes train all epochs and keep the last.

    Returns:
        the best epoch, counted from 1; 0 where the weights are left alone.
    """
    config, data = task.config, graph_data(task)
    plain = build_graph_sage(data.x.shape[1], len(config.seen_classes), config.seed, embedder.dropout, False)
    plain.load_state_dict(embedder.state_dict(), strict=False)
    plain.to(task.device)
    held = torch.from_numpy(data.validation).to(graph.x_NF.device)
    truth = torch.from_numpy(data.labels).to(graph.x_NF.device)[held]
    best, best_epoch, kept = -1.0, 0, copy.deepcopy(embedder.state_dict())
    for epoch in range(1, config.options.pretrain_epochs + 1):
        train_locally(task, plain, graph, seed=epoch)
        right = float((all_logits(plain, graph)[held].argmax(dim=1) == truth).float().mean()) if len(truth) else epoch
        if right > best:
            best, best_epoch = right, epoch
            kept = copy.deepcopy({name: value for name, value in plain.state_dict().items() if name in kept})
        elif epoch >= best_epoch + PATIENCE:
            break
    embedder.load_state_dict(kept)
    return best_epoch
