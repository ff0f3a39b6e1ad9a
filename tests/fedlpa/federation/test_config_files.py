"""What ``federation init`` writes, byte for byte (``written/``)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from client_app.policy import load_policy
from client_app.site_config import load_site_config
from common.run_toml import is_complete, read_run, terms_hash
from fedlpa.federation.init import init_federation
from fedlpa.flower.pin import installed_hash

WRITTEN = Path(__file__).parent / "written"
DIGITS = {"data_like": ("digits",)}
GRAPH = {"method": "fedlog", "kind": "graph", "sample-shape": "16", "seen-classes": "red,green,blue"}
CHANGED = {
    "method": "local-infomap", "seen-classes": "café,<b>&'x',3", "rounds": "7", "seed": "3", "min-clients": "4",
    "round-timeout": "60", "grace-period": "5", "quorum-timeout": "30", "outliers": "clip", "aggregation": "median",
    "knn": "15",
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "bare": {},
    "digits": DIGITS,
    "statistics": {**DIGITS, "settings": {"category-statistics": "true"}},
    "fedlog-graph": {"settings": GRAPH},
    "fedlog-vectors": {"settings": {**GRAPH, "kind": "vectors"}},
    "published": {"settings": {**GRAPH, "method": "fedlog-published"}},
    "changed": {
        **DIGITS, "host": "2001:db8::1", "sites": ("a", "b", "c", "d"), "port": 19092, "control_port": 19091,
        "settings": CHANGED,
    },
}  # fmt: skip


def written(folder: Path) -> str:
    """The server's files and one site's, one after the other."""
    site = sorted((folder / "sites").iterdir())[0]
    files = {"server.toml": folder / "server" / "server.toml", "run.toml": folder / "run.toml"}
    files |= {f"site/{name}": site / name for name in ("site.toml", "policy.yaml", "run.toml")}
    text = "".join(f"=== {name}\n{path.read_text(encoding='utf-8')}" for name, path in files.items())
    return text.replace(installed_hash(), "APPROVED")


@pytest.mark.parametrize("case", CASES)
def test_files_are_what_they_were(case: str, tmp_path: Path) -> None:
    given = {"host": "fl.example.org", "sites": ("clinic-a", "clinic-b"), **CASES[case]}
    init_federation(tmp_path / "fl", **given)
    assert written(tmp_path / "fl") == (WRITTEN / f"{case}.txt").read_text(encoding="utf-8")
    policy = sorted((tmp_path / "fl" / "sites").glob("*/policy.yaml"))[0]
    (method,) = yaml.safe_load(policy.read_text(encoding="utf-8"))["methods"]
    load_policy(policy, method)
    site = load_site_config(policy.parent / "site.toml")
    described = read_run(policy.parent / "run.toml").config
    asked = read_run(tmp_path / "fl" / "run.toml").config
    assert terms_hash(asked) == terms_hash(described)
    assert site.approved_run == (terms_hash(described) if is_complete(described) else "")
