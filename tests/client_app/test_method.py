from dataclasses import replace

from client_app.method import Task
from client_app.site import RealSite
from common.config import make_config
from common.methods.registry import get_method


def _task(tmp_path, seed=0, name="site-0", number=1):
    config = make_config({"seed": seed})
    plan = get_method("fedlpa").plan(config, number)
    site = RealSite(name, tmp_path / "data.parquet", tmp_path, tmp_path / "policy.yaml")
    return Task(config=config, plan=plan, site=site, data=None, state=None, records={})


def test_the_seed_differs_by_run_site_and_round_and_repeats(tmp_path):
    seeds = {_task(tmp_path, s, n, r).seed for s in range(4) for n in ("site-0", "site-1") for r in range(1, 5)}
    assert len(seeds) == 32
    task = _task(tmp_path)
    assert task.seed == replace(task, records={"x": {}}).seed == _task(tmp_path).seed
    assert 0 <= task.seed < 2**31
