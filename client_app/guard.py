"""The egress guard: the outermost layer of the ClientApp. Whatever leaves a site passes here, or does not leave.

It refuses by default. An institution's messages take the way of ``client_app/institution.py``. A simulated site belongs
to whoever runs the simulation: there the run's wire contract alone applies, and an error says what is wrong.
"""

import logging
from collections.abc import Callable

from flwr.app import Context, Error, Message

from client_app.institution import NOTHING_SENT, answer
from client_app.reply_contract import reply_contract
from client_app.site import SimulatedSite, configured, site_of
from client_app.site_log import log_to_site
from client_app.update_noise import Noise, apply_noise
from common.errors import InputError
from common.wire.contract import violations
from common.wire.messages import Instruction, read_instruction

log = logging.getLogger("fedlpa.site")

REFUSED = 401
"""Error code of a simulated site's reply that does not fit the contract."""


def guard(message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
    """A Flower mod that lets only contracted and permitted replies out."""
    try:
        config = configured(context)
        if config is not None:
            return answer(message, context, call_next, config)
    except Exception:
        log.exception("the message could not be answered")
        return _error(message, NOTHING_SENT, "a site sends nothing; its operator can see why")
    return _simulated(message, context, call_next)


def _simulated(message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
    name = "a site"
    try:
        instruction = read_instruction(message)
        site = site_of(context, instruction.place)
        assert isinstance(site, SimulatedSite)
        name = site.name
        with log_to_site(site.folder):
            reply = call_next(message, context)
            found = _judge(message, reply, instruction, site)
            if found:
                log.error("reply held back: %s", "; ".join(found))
    except InputError:
        return _error(message, NOTHING_SENT, f"{name}: its data or configuration does not fit the run; see its log")
    except Exception as error:  # noqa: BLE001 - nothing may pass the guard, a traceback least of all
        return _error(message, NOTHING_SENT, f"{name}: failed with {type(error).__name__}; the site's log says more")
    if found:
        return _error(message, REFUSED, f"{name}: held back by the egress guard; the site's log says more")
    return Message(reply.content, reply_to=message)


def _judge(message: Message, reply: Message, instruction: Instruction, site: SimulatedSite) -> list[str]:
    """Why the reply may not leave; empty if it may. Then it has the noise that the simulation gives every site."""
    if not reply.has_content():
        return ["the reply has no content"]
    config = instruction.config
    contract = reply_contract(message.metadata.message_type, instruction.round, config, site.place)
    found = violations(reply.content, contract)
    if not found and config.local_clip_norm is not None:
        seed = (config.seed, instruction.round, site.index)
        apply_noise(message, reply, Noise(config.local_clip_norm, config.local_noise_multiplier, seed))
    return found


def _error(message: Message, code: int, reason: str) -> Message:
    return Message(Error(code, reason), reply_to=message)
