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
        arrays = {f"{GENERATORS}.{name}": array for name, array in task.records[GENERATORS].items()}
        task.state.update(arrays, {})
    prefix = f"{GENERATORS}."
    kept = {name.removeprefix(prefix): a for name, a in task.state.arrays.items() if name.startswith(prefix)}
    device = task.device
    return {name: torch.from_numpy(a.astype(np.float32)).to(device) for name, a in kept.items()} or None
