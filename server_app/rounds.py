"""The round loop: ask every site, validate and fold each reply, close the round, checkpoint, go on."""

import logging
import time
from collections.abc import Callable, Iterator

import numpy as np
from flwr.app import Message, MessageType
from flwr.serverapp import Grid
from numpy.typing import NDArray

from common.errors import RunFailedError
from common.methods.plan import RoundPlan, round_contract
from common.methods.registry import get_method
from common.place import Place, Simulation
from common.run.checkpoint import Snapshot, read_checkpoint, write_checkpoint
from common.run.metrics import Final
from common.run.model_files import save_model
from common.run.record import Absence, Outlier, RoundRecord, Watch
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from common.wire.contract import Contract, sits_out, violations
from common.wire.messages import DELIVER, Instruction, content_bytes, read_arrays, read_metrics, server_content
from common.wire.records import scalar
from server_app.aggregate.noisy import clip_reply
from server_app.asking import Exchange
from server_app.attendance import Attendance, Say
from server_app.claims import Claims
from server_app.method import Broadcast, MethodServer, Reply
from server_app.methods import server_method
from server_app.outliers import Spool, absurd, clipped, far_outside, length, update_norm
from server_app.screening import contrary, differing, sketch
from server_app.tally import Tally

log = logging.getLogger("fedlpa.server")

SUSPECTED, CLAIMED = "suspected", "claimed"
"""What the loop itself keeps in a checkpoint, beside the method's state."""
AGAIN = 10.0
"""Seconds before a round that too few sites answered is asked for again."""
SLACK = 60.0
"""Seconds that a message outlives the round's timeout; after them its site is asked again."""

UNUSABLE = (ValueError, ArithmeticError, LookupError, TypeError)
"""What a method raises on values that it cannot work with."""

Fold = Callable[[Reply], None]


class Rounds:
    """One run on one grid. The method's server and the history live here; the files make them last."""

    def __init__(
        self, grid: Grid, config: AnyConfig, files: RunFiles, place: Place, watch: Watch, say: Say | None = None
    ) -> None:
        self.config, self.files, self.place, self.watch = config, files, place, watch
        self.say = say or (lambda sentence: None)
        self.spec = get_method(config.method)
        self.contract: Contract = self.spec.contract(config, place)
        self.method = self._new_server()
        self.attendance = Attendance(grid, config, place, self.say)
        self.run_name = files.name()
        self.claims = Claims()
        self.suspected: frozenset[str] = frozenset()
        """Sites whose last update was left out because it pointed away from the others'."""
        self.history: list[RoundRecord] = []
        model_bytes = sum(array.nbytes for array in self.method.weights().values())
        activations = None if isinstance(place, Simulation) else self.attendance.activations
        self.exchange = Exchange(grid, model_bytes, activations)
        self.delivered: Final | None = None
        """Scores of the sites' own final predictions; benchmarks only."""

    def _new_server(self) -> MethodServer:
        return server_method(self.config).start(self.config, self.place)

    def run(self) -> None:
        """All rounds that are left, the delivery of the model, and the final files.

        Raises:
            RunFailedError: too few sites answered.
        """
        done = self._resume()
        self._meet()
        rounds = self.spec.rounds(self.config)
        for number in range(done + 1, rounds + 1):
            record = self._round(self.spec.plan(self.config, number))
            self.history.append(record)
            self.files.add_round(record)
            write_checkpoint(self.files.checkpoint, number, self._snapshot())
            self.watch(record)
        save_model(self.files.model, self.method.final_model())
        self._deliver(rounds)

    def _resume(self) -> int:
        """The number of rounds already done."""
        if not self.files.checkpoint.exists():
            self.files.keep_rounds(0)
            return 0
        done, snapshot = read_checkpoint(self.files.checkpoint)
        self.suspected = frozenset(snapshot.values.get(SUSPECTED, ()))
        self.claims = Claims(snapshot.values.get(CLAIMED))
        self.method.restore(snapshot)
        self.history = self.files.keep_rounds(done)
        for record in self.history:
            self.watch(record)
        return done

    def _snapshot(self) -> Snapshot:
        """The method's state, and whom the loop itself suspects."""
        own = self.method.snapshot()
        kept = {SUSPECTED: sorted(self.suspected), CLAIMED: dict(self.claims.first)}
        return Snapshot(own.arrays, {**own.values, **kept})

    def _meet(self) -> None:
        """Ask every node who it is and whether its data fits the run, before any work is done."""
        nodes = self.attendance.gather()
        plan = self.spec.plan(self.config, 1)
        tally = self._ask(nodes, plan, MessageType.QUERY, self.contract.metrics_only(), lambda reply: None)
        for entry in tally.failed + tally.refused:
            log.warning("%s does not take part: %s", entry.site, entry.reason)
        if not any(metrics["samples"] for metrics in tally.answered.values()):
            reasons = tally.reasons()
            raise RunFailedError(f"no site can take part{': ' + reasons if reasons else ''}.")

    def _round(self, plan: RoundPlan) -> RoundRecord:
        """One round, again and again until enough sites have answered.

        Raises:
            RunFailedError: they have not within the quorum's timeout.
        """
        patience = 0.0 if isinstance(self.place, Simulation) else self.config.quorum_timeout
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
            self.method = self._new_server()
            self.method.restore(snapshot)
            time.sleep(min(AGAIN, max(0.0, deadline - time.monotonic())))
        closing = time.perf_counter()
        outcome = self.method.finish_round(plan)
        tally.server_seconds += time.perf_counter() - closing
        return tally.record(self.config, plan, self.contract.metrics, outcome, time.perf_counter() - started)

    def _collect(self, plan: RoundPlan) -> Tally:
        """Ask all sites and fold their replies, except for what is far outside the others."""
        mode, nodes = self.config.outliers, self.attendance.gather()
        if mode == "screen" and self.config.central_clip_norm is not None:
            mode = "report"  # every update is bounded already, and none may decide about another's part
        before = self.method.weights()
        whole = length(before)
        spool = Spool(self.files.folder / ".spool") if mode in {"screen", "clip", "refuse"} else None
        norms: dict[str, float] = {}
        sketches: dict[str, NDArray[np.float64]] = {}

        def take(reply: Reply) -> None:
            norm = update_norm(reply, before)
            if fault := absurd(norm, whole):
                raise ValueError(fault)
            reply = clip_reply(reply, before, self.config.central_clip_norm)
            if norm is not None and mode != "ignore":
                norms[reply.site] = norm
            if mode == "screen" and (found := sketch(reply, before)) is not None:
                sketches[reply.site] = found
            if spool is not None:
                spool.add(reply)
            else:
                self.method.fold(plan, reply)

        tally = self._ask(nodes, plan, MessageType.TRAIN, round_contract(self.contract, plan), take)
        limits = far_outside(norms, self.config.outlier_factor)
        tally.outliers = [Outlier(site=site, norm=norms[site], limit=limit) for site, limit in limits.items()]
        against = contrary(sketches, self.suspected)
        self.suspected = (self.suspected - sketches.keys()) | against.keys()
        for reply in spool.replies() if spool is not None else ():
            told = ""
            if reply.site in limits and mode == "refuse":
                told = f"its update's norm {norms[reply.site]:.3g} is far outside the others'"
            if reply.site in against:
                told = f"its update points away from the others' (cosine {against[reply.site]:.2f} below the median)"
            if told:
                self._leave_out(tally, reply.site, told)
                continue
            if reply.site in limits:
                reply = clipped(reply, before, norms[reply.site], limits[reply.site])
            self._fold(tally, plan, reply)
        if (site := differing(sketches)) is not None:
            told = (
                f"round {plan.round}: {site} sends an update that points away from the others'; with {len(sketches)} "
                "sites it cannot be told who is wrong, so all are taken"
            )
            log.warning("%s", told)
            self.say(told)
        return tally

    def _fold(self, tally: Tally, plan: RoundPlan, reply: Reply) -> None:
        """Take a reply in. What its values break costs its site the round, and nobody else."""
        try:
            self.method.fold(plan, reply)
        except UNUSABLE as error:
            self._leave_out(tally, reply.site, f"its reply cannot be used ({type(error).__name__}: {error})")

    def _leave_out(self, tally: Tally, site: str, reason: str) -> None:
        tally.refused.append(Absence(site=site, reason=reason))
        tally.answered.pop(site, None)

    def _ask(self, nodes: list[int], plan: RoundPlan, kind: str, contract: Contract, fold: Fold) -> Tally:
        """Send one message to every node that is free, and take in the valid replies."""
        tally = Tally(asked=len(nodes))
        busy = self.exchange.busy()
        for node in sorted(set(nodes) & busy.keys()):
            self._miss(tally, node, f"still working on its message of round {busy[node]}")
        silent = set(nodes) - busy.keys()
        for node, message in self.exchange.ask(
            self._messages(sorted(silent), plan, kind, tally),
            self.config.round_timeout,
            enough=lambda: len(tally.answered) >= self.config.min_clients,
            grace=self.config.grace_period,
        ):
            silent.discard(node)
            if message is None:
                self._miss(tally, node, "restarted while it was working")
                continue
            started = time.perf_counter()
            self._take(node, message, contract, fold, tally)
            del message  # a model may be in it
            tally.server_seconds += time.perf_counter() - started
        for node in sorted(silent):
            self._miss(tally, node, "no reply in time")
        return tally

    def _messages(self, nodes: list[int], plan: RoundPlan, kind: str, tally: Tally) -> Iterator[Message]:
        """The round's messages, built one at a time."""
        for node in nodes:
            asks = kind == MessageType.QUERY
            sent = Broadcast() if asks else self.method.broadcast(plan, self.attendance.name(node))
            told = Instruction(self.config, plan.round, self.place, self.run_name, sent.values)
            content = server_content(told, sent.records)
            tally.down += content_bytes(content)
            yield Message(
                content,
                dst_node_id=node,
                message_type=kind,
                group_id=str(plan.round),
                ttl=self.config.round_timeout + SLACK,
            )

    def _take(self, node: int, message: Message, contract: Contract, fold: Fold, tally: Tally) -> None:
        if message.has_error():
            self._miss(tally, node, message.error.reason or "no reason given")
            return
        found = violations(message.content, contract)
        metrics = read_metrics(message.content)
        if not found and "samples" not in metrics:
            found = ["metric 'samples' is missing"]
        if found:
            tally.refused.append(Absence(site=self.attendance.name(node), reason="; ".join(found[:3])))
            return
        if "site" in metrics:
            self.attendance.introduce(node, int(scalar(metrics, "site")))
        site = self.attendance.name(node)
        if sits_out(message.content):
            tally.sat_out.append(site)
            return
        tally.up += content_bytes(message.content)
        try:
            reply = self.claims.capped(Reply(site, read_arrays(message.content), metrics))
            tally.answered[site] = reply.metrics
            fold(reply)
        except UNUSABLE as error:
            self._leave_out(tally, site, f"its reply cannot be used ({error})")
            return
        self.attendance.note(node)

    def _miss(self, tally: Tally, node: int, reason: str) -> None:
        tally.failed.append(Absence(site=self.attendance.name(node), reason=reason))

    def _deliver(self, rounds: int) -> None:
        """Give every site the final model; a site that misses this lost nothing but its predictions."""
        plan = self.spec.plan(self.config, rounds + 1)
        nodes = self.attendance.returned()
        replies: dict[str, Reply] = {}

        def keep(reply: Reply) -> None:
            replies[reply.site] = reply

        tally = self._ask(nodes, plan, DELIVER, self.contract.delivery(), keep)
        for entry in tally.failed + tally.refused:
            log.warning("%s did not take the final model: %s", entry.site, entry.reason)
        self.delivered = self.method.delivery_scores(replies)
