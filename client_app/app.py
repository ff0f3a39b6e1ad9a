"""The Flower ClientApp of an institution: one train message a round, and the delivery of the final model."""

import logging
import os
import time

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client_app.guard import guard
from client_app.method import Answer, Task
from client_app.methods import client_method
from client_app.site import RealSite, SimulatedSite, Site, site_of
from client_app.state import PrivateState
from common.errors import InputError
from common.methods.registry import get_method
from common.wire.messages import Instruction, client_content, read_arrays, read_instruction

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
    site = site_of(context, instruction.place)
    metrics = {"samples": 0} if _sits_out(site) else _count(site, instruction)
    if isinstance(site, SimulatedSite):
        metrics["site"] = site.index
    return Message(client_content({}, metrics), reply_to=message)


def _count(site: Site, instruction: Instruction) -> dict[str, int]:
    config = site.configure(instruction.config)
    return client_method(config).load_data(site, config).size


def _answer(message: Message, context: Context, *, deliver: bool) -> Message:
    started = time.perf_counter()
    instruction = read_instruction(message)
    site = site_of(context, instruction.place)
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
    return method.deliver(task) if deliver else method.run_round(task)


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
