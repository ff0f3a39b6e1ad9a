"""The round loop: ask every site, validate and fold each reply, close the round, checkpoint, go on."""

import importlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flwr.app import Message, MessageType
from flwr.serverapp import Grid

from common.errors import RunFailedError
from common.methods.plan import RoundPlan
from common.methods.registry import get_method, load_hook, round_contract
from common.privacy.accountant import privacy_reached
from common.run.metrics import Final
from common.run.model_files import save_model
from common.run.record import (
    Absence,
    Categories,
    Clients,
    Outlier,
    RoundRecord,
    RoundSeconds,
    Traffic,
    Watch,
)
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from common.wire.contract import Contract, sits_out, violations
from common.wire.messages import DELIVER, Instruction, content_bytes, read_arrays, read_metrics, server_content
from server_app.aggregate.noisy import clip_reply
from server_app.asking import Exchange
from server_app.method import Outcome, Reply, ServerMethod
from server_app.outliers import Spool, clipped, far_outside, update_norm

log = logging.getLogger("fedlpa.server")

HEALTH = ("stability", "silhouette", "tiny-share", "prior-drift")
AGAIN = 10.0
"""Seconds before a round that too few sites answered is asked for again."""
RETURN = 60.0
"""Seconds that the final model waits for a site that took part and is away just then."""
SLACK = 60.0
"""Seconds that a message outlives the round's timeout; after them its site is asked again."""


@dataclass
class Tally:
    """What the replies of one round add up to, beside what the method makes of them."""

    asked: int = 0
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    sat_out: list[str] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    outliers: list[dict[str, Any]] = field(default_factory=list)
    up: int = 0
    down: int = 0
    server_seconds: float = 0.0

    def mean(self, metric: str) -> float | None:
        """Mean over the sites that reported ``metric``, weighted by their samples."""
        known = [(m[metric], m["samples"]) for _, m in sorted(self.answered.items()) if metric in m]
        weight = sum(n for _, n in known)
        return sum(value * n for value, n in known) / weight if weight else None

    def means(self, metrics: Mapping[str, str]) -> dict[str, float]:
        """Means of the ``metrics`` that were reported, by the names that a record has for them."""
        found = {name.replace("-", "_"): self.mean(metric) for name, metric in metrics.items()}
        return {name: value for name, value in found.items() if value is not None}

    def total(self, metric: str) -> float:
        """Sum over sites."""
        return float(sum(m.get(metric, 0.0) for m in self.answered.values()))

    def reasons(self) -> str:
        """Why sites are missing, in one line."""
        return "; ".join(f"{entry['site']}: {entry['reason']}" for entry in self.failed + self.refused)


class Rounds:
    """One run on one grid. The method's state and the history live here; the files make them last."""

    def __init__(
        self,
        grid: Grid,
        config: AnyConfig,
        files: RunFiles,
        watch: Watch,
        *,
        simulated: bool,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.grid, self.config, self.files, self.watch = grid, config, files, watch
        self.say = say or (lambda sentence: None)
        self.simulation_root = str(files.sites.absolute()) if simulated else ""
        self.description = get_method(config.method)
        self.results: Any = load_hook(self.description.results)
        self.contract: Contract = self.description.contract(config)
        self.method = self._new_method()
        self.sites: dict[int, str] = {}
        self.run_name = files.name()
        self.history: list[RoundRecord] = []
        model_bytes = sum(array.nbytes for array in self.method.weights().values())
        self.exchange = Exchange(grid, model_bytes, None if simulated else self._activations)
        self._took_part: set[int] = set()
        self.delivered: Final | None = None
        """Scores of the sites' own final predictions; benchmarks only."""

    def _new_method(self) -> ServerMethod:
        module, _, name = self.description.server.partition(":")
        method: ServerMethod = getattr(importlib.import_module(module), name)(self.config)
        return method

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
            self.files.keep_rounds(0)
            return 0
        done, snapshot = self.files.read_checkpoint()
        self.method.restore(snapshot)
        self.history = self.files.keep_rounds(done)
        for record in self.history:
            self.watch(record)
        return done

    def _meet(self) -> None:
        """Ask every node who it is and whether its data fits the run, before any work is done."""
        nodes = self._gather()
        plan = self.description.plan(self.config, 1)
        tally = self._ask(nodes, plan, MessageType.QUERY, self.contract.metrics_only(), lambda reply: None)
        for entry in tally.failed + tally.refused:
            log.warning("%s does not take part: %s", entry["site"], entry["reason"])
        if not any(metrics["samples"] for metrics in tally.answered.values()):
            reasons = tally.reasons()
            raise RunFailedError(f"no site can take part{': ' + reasons if reasons else ''}.")

    def _gather(self) -> list[int]:
        """All connected nodes, as soon as they are enough.

        Raises:
            RunFailedError: they are not within the quorum's timeout.
        """
        wanted = self.config.training_sites if self.simulation_root else self.config.min_clients
        patience = self.config.round_timeout if self.simulation_root else self.config.quorum_timeout
        deadline = time.monotonic() + patience
        told = -1
        while len(nodes := sorted(self.grid.get_node_ids())) < wanted:
            if time.monotonic() > deadline:
                raise RunFailedError(
                    f"only {len(nodes)} of {wanted} sites are connected after {patience:g} s; the checkpoint is "
                    "kept: start the missing ones and run again."
                )
            if len(nodes) != told:
                told = len(nodes)
                self.say(f"waiting for sites: {told} of at least {wanted} are connected")
            time.sleep(0.1 if self.simulation_root else 1.0)
        if not self.simulation_root:
            self._learn_names()
        return nodes

    def _activations(self) -> dict[int, float]:
        """When each site last came online, in seconds since the epoch by the server's clock."""
        return {
            node.node_id: datetime.fromisoformat(node.last_activated_at).timestamp()
            for node in self.grid.get_nodes()
            if node.last_activated_at
        }

    def _learn_names(self) -> None:
        """Sites are called by the names that their keys were registered under."""
        names = {node.node_id: node.name for node in self.grid.get_nodes()}
        for node, name in names.items():
            if name and list(names.values()).count(name) == 1:
                self.sites[node] = name

    def _round(self, plan: RoundPlan) -> RoundRecord:
        """One round, again and again until enough sites have answered.

        Raises:
            RunFailedError: they have not within the quorum's timeout.
        """
        patience = 0.0 if self.simulation_root else self.config.quorum_timeout
        deadline: float | None = None
        snapshot = self.method.snapshot()
        while True:
            started = time.perf_counter()
            tally = self._collect(plan)
            if len(tally.answered) >= self.config.min_clients:
                break
            deadline = deadline or time.monotonic() + patience
            told = (
                f"round {plan.round}: {len(tally.answered)} sites answered, min-clients is "
                f"{self.config.min_clients} ({tally.reasons() or 'no reply in time'})"
            )
            if time.monotonic() >= deadline:
                raise RunFailedError(f"{told}; the checkpoint is kept.")
            self.say(f"{told}; asking again")
            self.method = self._new_method()
            self.method.restore(snapshot)
            time.sleep(min(AGAIN, max(0.0, deadline - time.monotonic())))
        closing = time.perf_counter()
        outcome = self.method.finish_round(plan)
        tally.server_seconds += time.perf_counter() - closing
        return self._record(plan, tally, outcome, time.perf_counter() - started)

    def _collect(self, plan: RoundPlan) -> Tally:
        """Ask all sites and fold their replies, except for what is far outside the others."""
        mode, nodes = self.config.outliers, self._gather()
        before = self.method.weights()
        spool = Spool(self.files.folder / ".spool") if mode in {"clip", "refuse"} else None
        norms: dict[str, float] = {}

        def take(reply: Reply) -> None:
            norm = None if mode == "ignore" else update_norm(reply, before)
            if norm is not None:
                norms[reply.site] = norm
            reply = clip_reply(reply, before, self.config.central_clip_norm)
            if spool is not None:
                spool.add(reply)
            else:
                self.method.fold(plan, reply)

        tally = self._ask(nodes, plan, MessageType.TRAIN, round_contract(self.contract, plan), take)
        limits = far_outside(norms, self.config.outlier_factor)
        tally.outliers = [{"site": site, "norm": norms[site], "limit": limit} for site, limit in limits.items()]
        for reply in spool.replies() if spool is not None else ():
            if reply.site in limits and mode == "refuse":
                told = f"its update's norm {norms[reply.site]:.3g} is far outside the others'"
                tally.refused.append({"site": reply.site, "reason": told})
                tally.answered.pop(reply.site)
                continue
            if reply.site in limits:
                reply = clipped(reply, before, norms[reply.site], limits[reply.site])
            self.method.fold(plan, reply)
        return tally

    def _ask(
        self,
        nodes: list[int],
        plan: RoundPlan,
        kind: str,
        contract: Contract,
        fold: Callable[[Reply], None],
    ) -> Tally:
        """Send one message to every node that is free, and take in the valid replies."""
        tally = Tally(asked=len(nodes))
        busy = self.exchange.busy()
        for node in sorted(set(nodes) & busy.keys()):
            told = f"still working on its message of round {busy[node]}"
            tally.failed.append({"site": self._name(node), "reason": told})
        silent = set(nodes) - busy.keys()
        for node, message in self.exchange.ask(
            self._messages(sorted(silent), plan, kind, tally),
            self.config.round_timeout,
            enough=lambda: len(tally.answered) >= self.config.min_clients,
            grace=self.config.grace_period,
        ):
            silent.discard(node)
            if message is None:
                tally.failed.append({"site": self._name(node), "reason": "restarted while it was working"})
                continue
            started = time.perf_counter()
            self._take(node, message, contract, fold, tally)
            if self._name(node) in tally.answered:
                self._took_part.add(node)
            del message  # a model may be in it
            tally.server_seconds += time.perf_counter() - started
        for node in sorted(silent):
            tally.failed.append({"site": self._name(node), "reason": "no reply in time"})
        return tally

    def _messages(self, nodes: list[int], plan: RoundPlan, kind: str, tally: Tally) -> Iterator[Message]:
        """The round's messages, built one at a time."""
        for node in nodes:
            records, curve = ({}, None) if kind == MessageType.QUERY else self._broadcast(plan, node)
            told = Instruction(self.config, plan.round, curve, self.simulation_root, self.run_name)
            content = server_content(told, records)
            tally.down += content_bytes(content)
            yield Message(
                content,
                dst_node_id=node,
                message_type=kind,
                group_id=str(plan.round),
                ttl=self.config.round_timeout + SLACK,
            )

    def _broadcast(self, plan: RoundPlan, node: int) -> Any:
        return self.method.broadcast(plan, self._name(node))

    def _take(
        self, node: int, message: Message, contract: Contract, fold: Callable[[Reply], None], tally: Tally
    ) -> None:
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

    def _record(self, plan: RoundPlan, tally: Tally, outcome: Outcome, seconds: float) -> RoundRecord:
        named = [name for name in self.contract.metrics if name.startswith("loss-")]
        classes = self.config.classes
        return RoundRecord(
            round=plan.round,
            rounds=plan.rounds,
            phase=plan.phase,
            loss=tally.means({name.removeprefix("loss-"): name for name in named}),
            scores={"global": None, "local": None, "seen_accuracy": tally.mean("seen-accuracy"), **outcome.scores},
            categories=Categories(found=outcome.found, true=len(classes) or None),
            concepts=dict(sorted(outcome.concepts.items())),
            health=tally.means({name: name for name in HEALTH}),
            clients=Clients(
                asked=tally.asked,
                answered=len(tally.answered),
                sat_out=tuple(sorted(tally.sat_out)),
                failed=_absences(tally.failed),
                refused=_absences(tally.refused),
                outliers=tuple(Outlier(**entry) for entry in tally.outliers),
            ),
            privacy=privacy_reached(self.config, plan.round),
            bytes=Traffic(up=tally.up, down=tally.down),
            seconds=RoundSeconds(
                round=seconds,
                client_compute=tally.total("seconds"),
                discovery=tally.total("discovery-seconds"),
                server=tally.server_seconds,
            ),
        )

    def _keep_model(self) -> None:
        save_model(self.files.model, self.results.final_model(self.config, self.method))

    def _deliver(self, rounds: int) -> None:
        """Give every site the final model; a site that misses this lost nothing but its predictions."""
        plan = self.description.plan(self.config, rounds + 1)
        nodes = self._returned()
        replies: dict[str, Reply] = {}

        def fold(reply: Reply) -> None:
            replies[reply.site] = reply

        tally = self._ask(nodes, plan, DELIVER, self.contract.delivery(), fold)
        for entry in tally.failed + tally.refused:
            log.warning("%s did not take the final model: %s", entry["site"], entry["reason"])
        self.delivered = self.results.delivery_scores(self.config, self.method, replies)

    def _returned(self) -> list[int]:
        """All connected nodes, once those that took part are back or have had their time to be."""
        deadline = time.monotonic() + RETURN
        told = False
        while missing := self._took_part - set(nodes := sorted(self.grid.get_node_ids())):
            if time.monotonic() >= deadline:
                break
            if not told:
                names = ", ".join(sorted(self._name(node) for node in missing))
                self.say(f"waiting up to {RETURN:g} s for {names} to come back for the final model")
                told = True
            time.sleep(0.2)
        return nodes


def _absences(entries: list[dict[str, str]]) -> tuple[Absence, ...]:
    return tuple(Absence(**entry) for entry in sorted(entries, key=lambda entry: entry["site"]))
