"""The Flower ClientApp of an institution: one train message a round, and the delivery of the final model."""

import logging
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client_app.changed_rows import check_changed, remember_rows
from client_app.coarse_scalars import coarse_scalars
from client_app.guard import guard
from client_app.method import Answer, ClientMethod, Task
from client_app.methods import client_method
from client_app.model_check import check_model, check_moments, distance
from client_app.policy import load_policy
from client_app.results import publish_results
from client_app.site import RealSite, SimulatedSite, Site, site_of
from client_app.site_secret import secret_generator
from client_app.state import PrivateState
from common.errors import InputError
from common.methods.registry import get_method
from common.settings import Options
from common.wire.messages import Instruction, client_content, read_arrays, read_instruction
from common.wire.records import WEIGHTS

log = logging.getLogger("fedlpa.site")

app = ClientApp(mods=[guard])


@app.train()
def train(message: Message, context: Context) -> Message:
    """Evaluate the incoming model, discover if due, train; one message a round."""
    return _answer(message, context, deliver=False)


@app.train("deliver")
def deliver(message: Message, context: Context) -> Message:
    """Receive the run's final model: write it and this site's predictions to the site's disk."""
    return _answer(message, context, deliver=True)


@app.query()
def hello(message: Message, context: Context) -> Message:
    """Say whether this site can take part: its data is read and checked against the run."""
    instruction = read_instruction(message)
    site = site_of(context, instruction.place, instruction.run)
    metrics = {"samples": 0} if _sits_out(site) else _count(site, instruction)
    if isinstance(site, SimulatedSite):
        metrics["site"] = site.index
    return Message(client_content({}, metrics), reply_to=message)


def _count(site: Site, instruction: Instruction) -> dict[str, int]:
    config = site.configure(instruction.config)
    data = client_method(config).load_data(site, config)
    if isinstance(site, RealSite):
        rows = check_changed(site.home, data, load_policy(site.policy, config.method).min_samples)
        remember_rows(site.home, data, rows)
    return data.size


def _answer(message: Message, context: Context, *, deliver: bool) -> Message:
    started = time.perf_counter()
    instruction = read_instruction(message)
    site = site_of(context, instruction.place, instruction.run)
    if _sits_out(site):
        log.info("no samples here; the site sits out")
        answer = Answer(metrics={"samples": 0})
    else:
        answer = _work(instruction, site, message, deliver=deliver)
    metrics = dict(answer.metrics)
    if isinstance(site, SimulatedSite):
        metrics["site"] = site.index
        metrics["seconds"] = time.perf_counter() - started
    return Message(client_content(answer.records, metrics), reply_to=message)


def _work(instruction: Instruction, site: Site, message: Message, *, deliver: bool) -> Answer:
    started = time.perf_counter()
    config = site.configure(instruction.config)
    _limit_threads(config.threads)
    method = client_method(config)
    data = method.load_data(site, config)
    task = Task(
        config=config,
        plan=get_method(config.method).plan(config, instruction.round),
        site=site,
        data=data,
        state=PrivateState(site.folder, f"{instruction.run}/{config.method}/{data.fingerprint}"),
        records=read_arrays(message.content),
        values=instruction.values,
    )
    work = method.deliver if deliver else method.run_round
    if not isinstance(site, RealSite):
        return work(task)
    rows = check_changed(site.home, data, load_policy(site.policy, config.method).min_samples)
    _check_model(task, site, method)
    answer = work(task)
    if deliver:
        publish_results(site.folder, site.home)
    remember_rows(site.home, data, rows)
    return _coarse(answer, task, site, time.perf_counter() - started)


def _check_model(task: Task[Options], site: RealSite, method: ClientMethod[Options]) -> None:
    """Refuse a model that the run cannot have come to.

    Raises:
        RefusedError: says why.
    """
    check_model(task.config, task.plan.round, task.records, site.folder, lambda: _rehearse(task, site, method))
    if WEIGHTS in task.records and task.data.x.ndim == 2:
        check_moments(task.records[WEIGHTS], task.data.x.numpy(), task.fewest)


def _rehearse(task: Task[Options], site: RealSite, method: ClientMethod[Options]) -> float:
    """Length of the update that the site's data gives in the first round that trains; nothing of it is kept or sent."""
    spec = get_method(task.config.method)
    start = spec.initial_weights(task.config)
    number = next(n for n in range(1, spec.rounds(task.config) + 1) if spec.plan(task.config, n).train)
    with tempfile.TemporaryDirectory() as name:
        away = replace(site, folder=Path(name))
        state = PrivateState(away.folder, task.state.fingerprint)
        plan = spec.plan(task.config, number)
        tried = replace(task, plan=plan, site=away, state=state, records={WEIGHTS: start}, values={})
        sent = method.run_round(tried).records.get(WEIGHTS)
    return 0.0 if sent is None else distance(sent, start)


def _coarse(answer: Answer, task: Task[Options], site: RealSite, seconds: float) -> Answer:
    """The answer with its scalars at the precision that the samples behind them support."""
    metrics = {**answer.metrics, "seconds": seconds}
    labels = metrics.get("calibration-labels", 0)
    sizes = {
        "samples": len(task.data),
        "held-out": task.data.measuring,
        "calibration-labels": labels if isinstance(labels, int) else 0,
    }
    specs = get_method(task.config.method).contract(task.config, site.place).metrics
    generator = secret_generator(site.home, f"{site.folder.name}/{task.plan.round}/scalars")
    return replace(answer, metrics=coarse_scalars(metrics, specs, sizes, generator))


def _sits_out(site: Site) -> bool:
    """In a simulation a site may get no samples at all; at a real one missing data is a mistake."""
    if isinstance(site, RealSite) and not site.data.exists():
        raise InputError(f"{site.data} does not exist; correct 'data' in the site's site.toml.")
    return not site.data.exists()


def _limit_threads(threads: int) -> None:
    """Clients of a simulation share the cores; one thread each also makes sums repeatable."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
