"""The egress guard: the outermost layer of the ClientApp. Whatever leaves a site passes here, or does not leave.

It refuses by default: only a reply that fits the run's wire contract *and* the site's own policy passes, and only
after a line about it is on the disk. Anything else, and every exception, becomes an error without content; the
reason stays in the site's log.
"""

import logging
from collections.abc import Callable

from flwr.app import Context, Error, Message, MessageType

from client_app.audit import append_message
from client_app.policy import Policy, load_policy, policy_violations
from client_app.site import RealSite, SimulatedSite, Site, site_of
from client_app.site_log import log_to_site
from client_app.update_noise import Noise, apply_noise, count_noised
from common.errors import InputError
from common.methods.plan import round_contract
from common.methods.registry import get_method
from common.privacy.accountant import DELTA
from common.wire.contract import Contract, violations
from common.wire.messages import DELIVER, Instruction, read_instruction

log = logging.getLogger("fedlpa.site")

REFUSED = 401
"""Error code of a reply that the guard held back."""
FAILED = 402
"""Error code of a site that could not answer; its log says why."""


def guard(message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
    """A Flower mod that lets only contracted and permitted replies out."""
    name = "a site"
    try:
        instruction = read_instruction(message)
        site = site_of(context, instruction.place)
        name = site.name
        with log_to_site(site.folder):
            reply, found = _work(message, context, call_next, instruction, site)
            if found:
                log.error("reply held back: %s", "; ".join(found))
    except InputError:
        return _error(message, FAILED, f"{name}: its data or configuration does not fit the run")
    except Exception as error:  # noqa: BLE001 - nothing may pass the guard, a traceback least of all
        return _error(message, FAILED, f"{name}: failed with {type(error).__name__}")
    if found or reply is None:
        return _error(message, REFUSED, f"{name}: held back by the egress guard")
    # A fresh message around the checked content: the app's own could carry free text in its metadata.
    return Message(reply.content, reply_to=message)


def _work(
    message: Message,
    context: Context,
    call_next: Callable[[Message, Context], Message],
    instruction: Instruction,
    site: Site,
) -> tuple[Message | None, list[str]]:
    """The reply, and why it may not leave. Without a usable policy nothing runs; a simulated site needs none."""
    try:
        policy = None if isinstance(site, SimulatedSite) else load_policy(site.policy, instruction.config.method)
    except InputError as error:
        log.error("%s", error)
        return None, ["no usable policy"]
    reply = call_next(message, context)
    return reply, _judge(message, reply, instruction, site, policy, context.run_id)


def _judge(
    message: Message, reply: Message, instruction: Instruction, site: Site, policy: Policy | None, run: int
) -> list[str]:
    """Why the reply may not leave; empty if it may, and then its audit line is written.

    Args:
        policy: the site's own; None for a simulated site, where the contract alone applies.
    """
    if isinstance(site, RealSite) and policy is None:
        return ["no usable policy"]
    if not reply.has_content():
        return ["the reply has no content"]
    contract = _contract(message, instruction, site)
    found = violations(reply.content, contract)
    if not found and policy is not None:
        found = policy_violations(reply.content, contract, policy)
    if found:
        return found
    noise = _noise(policy, instruction, site)
    if noise is not None and apply_noise(message, reply, noise) and noise.multiplier:
        spent = count_noised(site.folder, instruction.run or str(run), noise.multiplier)
        log.info(
            "update %d of this run left with noise: epsilon %.3g at delta %g (%.3g over all runs of this site)",
            spent.updates,
            spent.epsilon,
            DELTA,
            spent.epsilon_of_all,
        )
    if policy is not None:
        append_message(site.folder, run, instruction.round, message, reply.content)
    return []


def _noise(policy: Policy | None, instruction: Instruction, site: Site) -> Noise | None:
    """A real site's clipping and noise are its policy's alone; a simulated one's come with the run."""
    if policy is not None:
        return None if policy.clip_norm is None else Noise(policy.clip_norm, policy.noise_multiplier)
    config = instruction.config
    if not isinstance(site, SimulatedSite) or config.local_clip_norm is None:
        return None
    seed = (config.seed, instruction.round, site.index)
    return Noise(config.local_clip_norm, config.local_noise_multiplier, seed)


def _contract(message: Message, instruction: Instruction, site: Site) -> Contract:
    """The contract of this reply, at the place that the site is, whatever the message says."""
    config = site.configure(instruction.config)
    kind = message.metadata.message_type
    method = get_method(config.method)
    contract = method.contract(config, site.place)
    if isinstance(site, RealSite):
        contract = contract.at_institution()
    if kind == MessageType.TRAIN:
        return round_contract(contract, method.plan(config, instruction.round))
    return contract.delivery() if kind == DELIVER else contract.metrics_only()


def _error(message: Message, code: int, reason: str) -> Message:
    return Message(Error(code, f"{reason}; the site's log says more"), reply_to=message)
