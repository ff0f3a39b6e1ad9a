"""The federation's neighbour generators at a site: kept once they came, as float16."""

from client_app.method import Task
from client_app.methods.fedlog_published.branch_training import Generators
from common.methods.fedlog_published import GENERATORS, PublishedOptions, uses_prompts


def known_generators(task: Task[PublishedOptions]) -> Generators | None:
    """Every class's generator [C, ...] in float32; None without prompts or before they came."""
    import numpy as np
    import torch

    if not uses_prompts(task.config):
        return None
    if GENERATORS in task.records:
        task.state.keep({GENERATORS: task.records[GENERATORS]})
    kept = task.state.kept(GENERATORS)
    return {name: torch.from_numpy(a.astype(np.float32)).to(task.device) for name, a in kept.items()} or None
