"""The egress guard: the outermost layer of the ClientApp. Whatever leaves a site passes here, or does not leave.

It refuses by default: only a reply that fits the run's wire contract passes. Anything else, and every exception,
becomes an error without content; the reason stays in the site's log.
"""

import logging

from flwr.app import Context, Error, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable

from client_app.site import site_of
from client_app.sitelog import log_to_site
from common.contract import violations
from common.errors import InputError
from common.exchange import read_instruction
from common.methods import get_method

log = logging.getLogger("fedlpa.site")

REFUSED = 401
"""Error code of a reply that the guard held back."""
FAILED = 402
"""Error code of a site that could not answer; its log says why."""


def guard(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """A Flower mod that lets only contracted replies out."""
    name = "a site"
    try:
        instruction = read_instruction(message)
        site = site_of(context, instruction.simulation_root)
        name = site.name
        with log_to_site(site.folder):
            reply = call_next(message, context)
            contract = get_method(instruction.config.method).contract(instruction.config)
            if message.metadata.message_type != MessageType.TRAIN:
                contract = contract.metrics_only()
            found = violations(reply.content, contract) if reply.has_content() else ["the reply has no content"]
            if found:
                log.error("reply held back: %s", "; ".join(found))
    except InputError:
        return _error(message, FAILED, f"{name}: its data or configuration does not fit the run")
    except Exception as error:  # noqa: BLE001 - nothing may pass the guard, a traceback least of all
        return _error(message, FAILED, f"{name}: failed with {type(error).__name__}")
    return _error(message, REFUSED, f"{name}: held back by the egress guard") if found else reply


def _error(message: Message, code: int, reason: str) -> Message:
    return Message(Error(code, f"{reason}; the site's log says more"), reply_to=message)
