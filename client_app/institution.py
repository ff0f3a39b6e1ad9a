"""An institution answers a message: what it may be asked, and what may leave.

In this order, and whatever fails ends it: a usable policy; the approved run, and a message that asks for nothing else;
limits; the turn of the round, for which an answered one gets the reply it had; the budget of rounds and noise. Only
then the data is read and the method works (``client_app/app.py``). The reply fits the run's contract and the policy,
gets its noise, is written down and stored, and leaves. Every message has a line in the audit log, whatever became of
it.
"""

import logging
import re
import time
from collections.abc import Callable

from flwr.app import ConfigRecord, Context, Error, Message, MessageType, RecordDict

from client_app.account import Account, book, check_budget, read_account
from client_app.answers import Answers, asked_by
from client_app.approved_run import approved_run, check_asked
from client_app.audit import Event, append_event
from client_app.model_check import remember_model
from client_app.policy import Policy, load_policy, policy_violations
from client_app.refusal import Outcome, RefusedError
from client_app.reply_contract import reply_contract
from client_app.site import RUN_NAME, RealSite, real_site
from client_app.site_config import SiteConfig
from client_app.site_log import log_to_site
from client_app.update_noise import Noise, apply_noise
from common.errors import InputError
from common.methods.registry import get_method
from common.privacy.accountant import DELTA
from common.settings import AnyConfig
from common.wire.contract import violations
from common.wire.messages import DELIVER, RUN, content_bytes, read_arrays
from common.wire.records import WEIGHTS

log = logging.getLogger("fedlpa.site")

NOTHING_SENT = 402
"""Error code of a site that has no answer, for whatever reason that lies in its data, its policy or its machine."""
NOT_APPROVED = 403
"""Error code of a site that was asked for a run, or sent an application, that it has not approved."""
KINDS = (MessageType.QUERY, MessageType.TRAIN, DELIVER)
TOLD = {
    NOTHING_SENT: "sends nothing; its operator can see why",
    NOT_APPROVED: "has not approved this run; its operator can see what differs",
}
"""All that a server is told. What else it learnt from an error would be an answer to a question nobody approved."""

Next = Callable[[Message, Context], Message]


def answer(message: Message, context: Context, call_next: Next, config: SiteConfig) -> Message:
    """The site's reply to ``message``, or an error that says no more than it must."""
    site, event, started = real_site(config), Event(kind=message.metadata.message_type), time.perf_counter()
    with log_to_site(site.home):
        try:
            content = _answered(message, context, call_next, config, site, event)
            event.seconds = time.perf_counter() - started
            append_event(site.home, event, content)
            return Message(content, reply_to=message)
        except RefusedError as error:
            event.outcome, event.reason = error.outcome, str(error)
        except InputError as error:
            event.outcome, event.reason = "failed", str(error)
        except Exception as error:
            log.exception("the message could not be answered")
            event.outcome, event.reason = "failed", f"{type(error).__name__}: {error}"
        event.seconds = time.perf_counter() - started
        _note(site, event)
    return error_reply(message, NOT_APPROVED if event.outcome == "not-approved" else NOTHING_SENT, site.name)


def error_reply(message: Message, code: int, name: str) -> Message:
    """All that a server is told where the site called ``name`` sends nothing."""
    return Message(Error(code, f"{name} {TOLD[code]}"), reply_to=message)


def note_message(config: SiteConfig, message: Message, outcome: Outcome, reason: str) -> None:
    """Log what became of a message that did not come as far as ``answer``, or did not come back from it."""
    site, event = real_site(config), Event(kind=message.metadata.message_type, outcome=outcome, reason=reason)
    run = message.content.config_records.get(RUN) if message.has_content() else None
    if run is not None and re.fullmatch(RUN_NAME, str(run.get("run", ""))):
        event.run = str(run["run"])
        event.round = number if isinstance(number := run.get("round"), int) else 0
    with log_to_site(site.home):
        _note(site, event)


def _answered(
    message: Message, context: Context, call_next: Next, config: SiteConfig, site: RealSite, event: Event
) -> RecordDict:
    """The content that may leave; ``event`` says what became of the message.

    Raises:
        RefusedError, InputError: nothing may.
    """
    policy, approved = _permitted(message, config, site, event)
    site = site.in_run(event.run)
    asked = asked_by(message, event.round)
    account = read_account(site.home)
    answers = Answers(site.folder)
    stored = answers.admit(asked, event.rounds)
    if stored is not None:
        event.outcome = "repeated"
        return stored
    if asked.kind == MessageType.TRAIN:
        check_budget(account, policy, policy.noise_multiplier)
    _replace_config(message, approved)
    reply = call_next(message, context)
    content = _judged(message, reply, approved, site, policy, event)
    _write_down(message, content, site, account, event)
    answers.keep(asked, content)
    event.outcome = "sent"
    return content


def _permitted(message: Message, config: SiteConfig, site: RealSite, event: Event) -> tuple[Policy, AnyConfig]:
    """The site's policy and the run that it approved, if the message asks for that and costs no more than it may."""
    size = content_bytes(message.content)
    if size > config.max_message_bytes:
        raise RefusedError(f"the message has {size} bytes, max-message-bytes is {config.max_message_bytes}")
    run = message.content.config_records.get(RUN)
    if run is None:
        raise RefusedError("the message has no instruction")
    name, number = str(run.get("run", "")), run.get("round")
    if event.kind not in KINDS or not isinstance(number, int) or not re.fullmatch(RUN_NAME, name):
        raise RefusedError("the message is none that a run of this application sends: kind, round or name of the run")
    event.run, event.round = name, number
    try:
        approved = approved_run(config)
    except InputError as error:
        raise RefusedError(str(error), "not-approved") from None
    event.method, event.rounds = approved.method, get_method(approved.method).rounds(approved)
    policy = load_policy(site.policy, approved.method)
    check_asked(str(run.get("config", "")), site.configure(approved), config)
    return policy, approved


def _replace_config(message: Message, approved: AnyConfig) -> None:
    """The application reads the approved run, not what the message says of it."""
    run = message.content[RUN]
    assert isinstance(run, ConfigRecord)
    run["config"] = approved.to_json()
    run["simulation-root"] = ""


def _judged(
    message: Message, reply: Message, approved: AnyConfig, site: RealSite, policy: Policy, event: Event
) -> RecordDict:
    """The reply's content, with its noise, if contract and policy let it out."""
    if not reply.has_content():
        raise RefusedError("the reply has no content", "held-back")
    contract = reply_contract(event.kind, event.round, site.configure(approved), site.place)
    found = violations(reply.content, contract) or policy_violations(reply.content, contract, policy)
    if found:
        raise RefusedError("; ".join(found), "held-back")
    if policy.clip_norm is not None:
        noise = Noise(policy.clip_norm, policy.noise_multiplier)
        if apply_noise(message, reply, noise):
            event.noise = noise.multiplier
    # The checked content alone goes on: the application's own message could carry free text in its metadata.
    return reply.content


def _write_down(message: Message, content: RecordDict, site: RealSite, account: Account, event: Event) -> None:
    """What must be on the disk before the reply to a round leaves, beside the reply itself."""
    if event.kind != MessageType.TRAIN:
        return
    spent = book(site.home, account, event.run, event.noise)
    if event.noise:
        log.info(
            "update %d of this run left with noise: epsilon %.3g at delta %g (%.3g over all runs of this site)",
            spent.updates,
            spent.epsilon,
            DELTA,
            spent.epsilon_of_all,
        )
    incoming = read_arrays(message.content).get(WEIGHTS)
    if incoming is not None:
        remember_model(site.folder, event.round, incoming, read_arrays(content).get(WEIGHTS))


def _note(site: RealSite, event: Event) -> None:
    """Lines about a message that got no answer; a full disk must not turn the error into silence."""
    log.error("%s", event.reason)
    event.noise = 0.0  # none left
    try:
        append_event(site.home, event)
    except (OSError, ValueError) as error:
        log.debug("no line about it could be written to the audit log (%s)", error)
