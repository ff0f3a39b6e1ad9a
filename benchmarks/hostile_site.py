"""What one hostile site costs a federation: every attack of ``hostile_replies.py`` beside the honest run.

    python -m benchmarks.hostile_site --data digits --sites 3 5 10 --out hostile.json

All sites of a simulation run in this process, one after the other, on one thread; the replies of the one with the most
samples are twisted.
The table has, in percent, the clustering accuracy (graphs: the accuracy on seen nodes) of the final predictions of all
sites; in the JSON also that of the honest ones alone. ``--set`` changes a setting of every run. The column *before* of
docs/privacy.md comes from the same two files, laid over the version before these measures.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from flwr.app import Message

from benchmarks.hostile_replies import ATTACKS, LABELS, lie_in_labels, twisted
from common.config import make_config
from common.errors import InputError, RunFailedError
from common.place import Simulation
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from common.wire.messages import DELIVER, read_arrays, read_instruction
from server_app.method import Reply
from server_app.methods import server_method
from server_app.run import run
from tests.fake_grid import SimulatedSites

SHARED = Path(os.environ.get("FEDLPA_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DATA: dict[str, dict[str, object]] = {
    "digits": {"data": "digits", "rounds": 12},
    "embeddings": {"data": str(SHARED / "cifar10-embeddings-train.parquet"), "rows": 2000, "rounds": 12},
    "cora": {"data": str(SHARED / "cora.npz"), "method": "fedlog", "rounds": 30},
}
NONE = "none"
"""The honest federation."""


class Sites(SimulatedSites):
    """The sites of a simulation, one of which may lie; their answers to the final model are kept to be scored."""

    def __init__(self, sites: int, bad: int | None, attack: str) -> None:
        super().__init__(sites, self._lie)
        self.bad, self.attack = bad, attack
        self.delivered: dict[int, Message] = {}

    def _lie(self, site: int, kind: str, number: int, reply: Message, message: Message) -> Message:
        self.sent.clear()  # a model is in each
        if kind == DELIVER:
            self.delivered[site] = reply
        elif site == self.bad and self.attack in ATTACKS:
            classes = len(read_instruction(message).config.seen_classes)
            return twisted(reply, message, number, classes, ATTACKS[self.attack])
        return reply


def federation(settings: dict[str, object], sites: int, attack: str, bad: int | None) -> dict[str, Any]:
    """One run and what it came to."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        given = {"threads": 1, "device": "cpu", "tensorboard": False, **settings, "clients": sites, "out": str(out)}
        config = make_config(given)
        files = RunFiles(out)
        config = server_method(config).lay_out(config, files, False)
        if bad is None:
            bad = largest(files.sites)
        if attack == LABELS:
            lie_in_labels(files.sites / f"site-{bad}", config.seen_classes)
        grid = Sites(sites, None if attack == NONE else bad, attack)
        try:
            run(grid, config, files, Simulation(files.sites.absolute()), lambda record: None)  # type: ignore[arg-type]
        except (RunFailedError, InputError, ValueError, ArithmeticError) as error:
            return {"failed": f"{type(error).__name__}: {error}", "seconds": time.monotonic() - started}
        rounds = [json.loads(line) for line in (out / "rounds.jsonl").read_text().splitlines()]
        metrics = json.loads((out / "metrics.json").read_text())
    clients = [record["clients"] for record in rounds]
    return {
        "bad": bad,
        "all": accuracy(config, grid, range(sites)),
        "honest": accuracy(config, grid, [site for site in range(sites) if site != bad]),
        "final": metrics["final"],
        "refused": [entry for each in clients for entry in each["refused"]],
        "failures": [entry for each in clients for entry in each["failed"]],
        "named": sum(any(e["site"] == f"site-{bad}" for e in each["outliers"]) for each in clients),
        "others-named": sum(any(e["site"] != f"site-{bad}" for e in each["outliers"]) for each in clients),
        "seconds": time.monotonic() - started,
    }


def largest(sites: Path) -> int:
    """The site with the most samples: the worst one to be hostile. Of equal ones, and of graphs, the first."""
    import pyarrow.parquet as pq

    sizes: dict[int, int] = {}
    for folder in sites.iterdir():
        truth = folder / "truth.parquet"
        sizes[int(folder.name.removeprefix("site-"))] = pq.read_metadata(truth).num_rows if truth.exists() else 0
    return max(sorted(sizes), key=lambda site: sizes[site])


def accuracy(config: AnyConfig, grid: Sites, sites: Iterable[int]) -> float | None:
    """Score of the final predictions of some sites."""
    replies = {
        f"site-{site}": Reply(f"site-{site}", read_arrays(grid.delivered[site].content), {})
        for site in sites
        if site in grid.delivered and not grid.delivered[site].has_error()
    }
    counts = {site: reply.records["truth"] for site, reply in replies.items() if "truth" in reply.records}
    if not counts:
        return None
    if "counts" in next(iter(counts.values())):
        from server_app.scoring import global_scores

        found = global_scores({site: each["counts"] for site, each in counts.items()}, config)
        return None if found is None else found["all"]
    from server_app.graph_scores import column_scores

    return column_scores(counts, 0)["seen"]


def table(found: dict[str, Any], sites: list[int]) -> str:
    """The cells as Markdown."""
    lines = ["| attack | " + " | ".join(f"{n} sites" for n in sites) + " |", "|---|" + "---|" * len(sites)]
    attacks = dict.fromkeys(key.split("/")[1] for key in found["cells"])
    for attack in attacks:
        cells = [found["cells"].get(f"{n}/{attack}") for n in sites]
        shown = ["" if cell is None else mean_text(cell) for cell in cells]
        lines.append(f"| {attack} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def mean_text(cell: dict[str, Any]) -> str:
    """Mean accuracy over seeds in percent, all sites' and the honest ones'; the failure where a run failed."""
    runs = list(cell.values())
    if any("failed" in each for each in runs):
        return "run failed"
    scored = [(each["all"], each["honest"]) for each in runs if each["all"] is not None]
    if not scored:
        return "no answer"
    return " / ".join(f"{100 * sum(part) / len(part):.1f}" for part in zip(*scored, strict=True))


def main() -> None:
    """Run the cells that are not in the file yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", choices=sorted(DATA), default="digits")
    parser.add_argument("--sites", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--attacks", nargs="+", default=[NONE, *ATTACKS, LABELS], choices=[NONE, *ATTACKS, LABELS])
    parser.add_argument("--aggregation", help="a setting of that name; the default of the code otherwise")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--bad", type=int, help="which site is hostile; the one with the most samples otherwise")
    parser.add_argument("--out", type=Path, required=True, help="JSON; the table is beside it as Markdown")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity._run_id = TaskIdentity._node_id = TaskIdentity._task_id = 1  # messages cannot be made without them
    settings = {**DATA[given.data], **dict(pair.split("=", 1) for pair in given.set)}
    if given.aggregation:
        settings["aggregation"] = given.aggregation
    found: dict[str, Any] = json.loads(given.out.read_text()) if given.out.exists() else {"cells": {}}
    found |= {"data": given.data, "settings": settings, "bad": given.bad, "machine": platform.platform()}
    for attack in given.attacks:
        for sites in given.sites:
            cell = found["cells"].setdefault(f"{sites}/{attack}", {})
            for seed in given.seeds:
                if str(seed) in cell:
                    continue
                made = federation({**settings, "seed": seed}, sites, attack, given.bad)
                cell[str(seed)] = made
                print(sites, attack, seed, {k: v for k, v in made.items() if k in SHOWN}, flush=True)
                temporary = given.out.with_suffix(".tmp")
                temporary.write_text(json.dumps(found, indent=1) + "\n")
                shutil.move(temporary, given.out)
    text = table(found, given.sites)
    given.out.with_suffix(".md").write_text(text + "\n")
    print(text)


SHOWN = ("all", "honest", "named", "others-named", "failed", "seconds")

if __name__ == "__main__":
    main()
