"""The round loop: ask every site, validate and fold each reply, close the round, checkpoint, go on."""

import importlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message, MessageType
from flwr.serverapp import Grid

from common.config import RunConfig
from common.contract import Contract, sits_out, violations
from common.errors import RunFailedError
from common.exchange import Instruction, content_bytes, read_arrays, read_metrics, server_content
from common.methods import get_method
from common.methods.schedule import RoundPlan
from common.model_files import Model, save_model
from server_app.exchange import exchange
from server_app.method import Outcome, Reply, ServerMethod
from server_app.run_files import RunFiles

log = logging.getLogger("fedlpa.server")

Watch = Callable[[dict[str, Any]], None]
LOSSES = ("total", "contrastive", "supervised", "self-distillation", "prior-alignment")
HEALTH = ("stability", "silhouette", "tiny-share")
DELIVER = f"{MessageType.TRAIN}.deliver"


@dataclass
class Tally:
    """What the replies of one round add up to, beside what the method makes of them."""

    asked: int = 0
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    sat_out: list[str] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    up: int = 0
    down: int = 0
    server_seconds: float = 0.0

    def mean(self, metric: str) -> float | None:
        """Mean over the sites that reported ``metric``, weighted by their samples."""
        known = [(m[metric], m["samples"]) for _, m in sorted(self.answered.items()) if metric in m]
        weight = sum(n for _, n in known)
        return sum(value * n for value, n in known) / weight if weight else None

    def total(self, metric: str) -> float:
        """Sum over sites."""
        return float(sum(m.get(metric, 0.0) for m in self.answered.values()))


class Rounds:
    """One run on one grid. The method's state and the history live here; the files make them last."""

    def __init__(self, grid: Grid, config: RunConfig, files: RunFiles, watch: Watch, *, simulated: bool) -> None:
        self.grid, self.config, self.files, self.watch = grid, config, files, watch
        self.simulation_root = str(files.sites.absolute()) if simulated else ""
        self.description = get_method(config.method)
        self.contract: Contract = self.description.contract(config)
        module, _, name = self.description.server.partition(":")
        self.method: ServerMethod = getattr(importlib.import_module(module), name)(config)
        self.sites: dict[int, str] = {}
        self.history: list[dict[str, Any]] = []

    def run(self) -> None:
        """All rounds that are left, the delivery of the model, and the final files.

        Raises:
            RunFailedError: too few sites answered.
        """
        done = self._resume()
        self._meet()
        rounds = self.description.rounds(self.config)
        for number in range(done + 1, rounds + 1):
            record = self._round(self.description.plan(self.config, number))
            self.history.append(record)
            self.files.add_round(record)
            self.files.write_checkpoint(number, self.method.snapshot())
            self.watch(record)
        self._keep_model()
        self._deliver(rounds)

    def _resume(self) -> int:
        """The number of rounds already done."""
        if not self.files.checkpoint.exists():
            self.files.rounds.unlink(missing_ok=True)
            return 0
        done, snapshot = self.files.read_checkpoint()
        self.method.restore(snapshot)
        self.history = self.files.keep_rounds(done)
        for record in self.history:
            self.watch(record)
        return done

    def _meet(self) -> None:
        """Ask every node who it is and whether its data fits the run, before any work is done."""
        deadline = time.monotonic() + self.config.round_timeout
        while len(nodes := sorted(self.grid.get_node_ids())) < self._expected():
            if time.monotonic() > deadline:
                raise RunFailedError(
                    f"only {len(nodes)} of {self._expected()} sites connected within "
                    f"{self.config.round_timeout:g} s; start the missing ones and run again."
                )
            time.sleep(0.1)
        plan = self.description.plan(self.config, 1)
        tally = self._ask(nodes, plan, MessageType.QUERY, self.contract.metrics_only(), lambda reply: None)
        for entry in tally.failed + tally.refused:
            log.warning("%s does not take part: %s", entry["site"], entry["reason"])
        if not any(metrics["samples"] for metrics in tally.answered.values()):
            reasons = "; ".join(entry["reason"] for entry in tally.failed + tally.refused)
            raise RunFailedError(f"no site can take part{': ' + reasons if reasons else ''}.")

    def _expected(self) -> int:
        return self.config.clients if self.simulation_root else self.config.min_clients

    def _round(self, plan: RoundPlan) -> dict[str, Any]:
        started = time.perf_counter()
        nodes = sorted(self.grid.get_node_ids())
        tally = self._ask(
            nodes, plan, MessageType.TRAIN, self.contract, lambda reply: self.method.fold(plan, reply)
        )
        if len(tally.answered) < self.config.min_clients:
            reasons = "; ".join(entry["reason"] for entry in tally.failed + tally.refused) or "no reply in time"
            raise RunFailedError(
                f"round {plan.round}: {len(tally.answered)} sites answered, min-clients is "
                f"{self.config.min_clients} ({reasons})."
            )
        closing = time.perf_counter()
        outcome = self.method.finish_round(plan)
        tally.server_seconds += time.perf_counter() - closing
        return self._record(plan, tally, outcome, time.perf_counter() - started)

    def _ask(
        self,
        nodes: list[int],
        plan: RoundPlan,
        kind: str,
        contract: Contract,
        fold: Callable[[Reply], None],
    ) -> Tally:
        """Send one message to every node and take in the valid replies."""
        tally = Tally(asked=len(nodes))
        messages = []
        for node in nodes:
            records, curve = ({}, None) if kind == MessageType.QUERY else self._broadcast(plan, node)
            instruction = Instruction(self.config, plan.round, curve, self.simulation_root)
            content = server_content(instruction, records)
            tally.down += content_bytes(content)
            messages.append(Message(content, dst_node_id=node, message_type=kind, group_id=str(plan.round)))
        silent = set(nodes)
        for message in exchange(self.grid, messages, self.config.round_timeout):
            silent.discard(message.metadata.src_node_id)
            started = time.perf_counter()
            self._take(message, contract, fold, tally)
            tally.server_seconds += time.perf_counter() - started
        for node in sorted(silent):
            tally.failed.append(
                {"site": self._name(node), "reason": f"no reply in {self.config.round_timeout:g} s"}
            )
        return tally

    def _broadcast(self, plan: RoundPlan, node: int) -> Any:
        return self.method.broadcast(plan, self._name(node))

    def _take(self, message: Message, contract: Contract, fold: Callable[[Reply], None], tally: Tally) -> None:
        node = message.metadata.src_node_id
        if message.has_error():
            tally.failed.append({"site": self._name(node), "reason": message.error.reason or "no reason given"})
            return
        found = violations(message.content, contract)
        metrics = read_metrics(message.content)
        if not found and "samples" not in metrics:
            found = ["metric 'samples' is missing"]
        if found:
            tally.refused.append({"site": self._name(node), "reason": "; ".join(found[:3])})
            return
        if "site" in metrics and self.simulation_root:
            self.sites[node] = f"site-{int(metrics['site'])}"
        site = self._name(node)
        if sits_out(message.content):
            tally.sat_out.append(site)
            return
        tally.up += content_bytes(message.content)
        tally.answered[site] = metrics
        fold(Reply(site, read_arrays(message.content), metrics))

    def _name(self, node: int) -> str:
        return self.sites.get(node, f"node-{node}")

    def _record(self, plan: RoundPlan, tally: Tally, outcome: Outcome, seconds: float) -> dict[str, Any]:
        losses = {name: tally.mean(f"loss-{name}") for name in LOSSES}
        health = {name: tally.mean(name) for name in HEALTH}
        scores = {"global": None, "local": None, "seen_accuracy": tally.mean("seen-accuracy"), **outcome.scores}
        classes = self.config.classes
        return {
            "round": plan.round,
            "rounds": plan.rounds,
            "phase": plan.phase,
            "loss": {name.replace("-", "_"): value for name, value in losses.items() if value is not None},
            "scores": scores,
            "categories": {"found": outcome.found, "true": len(classes) if classes else None},
            "concepts": dict(sorted(outcome.concepts.items())),
            "health": {name.replace("-", "_"): value for name, value in health.items() if value is not None},
            "clients": {
                "asked": tally.asked,
                "answered": len(tally.answered),
                "sat_out": sorted(tally.sat_out),
                "failed": sorted(tally.failed, key=lambda entry: entry["site"]),
                "refused": sorted(tally.refused, key=lambda entry: entry["site"]),
            },
            "bytes": {"up": tally.up, "down": tally.down},
            "seconds": {
                "round": seconds,
                "client_compute": tally.total("seconds"),
                "discovery": tally.total("discovery-seconds"),
                "server": tally.server_seconds,
            },
        }

    def _keep_model(self) -> None:
        save_model(self.files.model, Model(self.config, self.method.weights(), self.method.catalogue()))

    def _deliver(self, rounds: int) -> None:
        """Give every site the final model; a site that misses this lost nothing but its predictions."""
        plan = self.description.plan(self.config, rounds + 1)
        nodes = sorted(self.grid.get_node_ids())
        tally = self._ask(nodes, plan, DELIVER, self.contract.metrics_only(), lambda reply: None)
        for entry in tally.failed + tally.refused:
            log.warning("%s did not take the final model: %s", entry["site"], entry["reason"])
