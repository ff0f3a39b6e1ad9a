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
from dataclasses import dataclass

from flwr.app import ConfigRecord, Context, Error, Message, MessageType, RecordDict

from client_app.account import Account, book, check_budget, read_account
from client_app.answers import Answers, Question, question_of
from client_app.approved_run import approved_run, check_asked
from client_app.audit import Event, append_event
from client_app.model_check import remember_model
from client_app.policy import Policy, load_policy, policy_violations
from client_app.refusal import Outcome, RefusedError
from client_app.site import RUN_NAME, RealSite, real_site
from client_app.site_config import SiteConfig
from client_app.site_log import log_to_site
from client_app.update_noise import Noise, apply_noise
from common.errors import InputError
from common.methods.plan import round_contract
from common.methods.registry import get_method
from common.privacy.accountant import DELTA
from common.settings import AnyConfig
from common.wire.contract import Contract, violations
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


@dataclass
class _Message:
    """What is known of a message so far: for its line in the log."""

    run: str = ""
    method: str = ""
    round: int = 0
    rounds: int = 0
    kind: str = ""
    noise: float = 0.0


def answer(message: Message, context: Context, call_next: Next, config: SiteConfig) -> Message:
    """The site's reply to ``message``, or an error that says no more than it must."""
    site, known, started = real_site(config), _Message(), time.perf_counter()
    outcome: Outcome = "failed"
    with log_to_site(site.home):
        try:
            outcome, content = _answered(message, context, call_next, config, site, known)
            event = _event(known, outcome, "", started)
            append_event(site.home, event, content)
            return Message(content, reply_to=message)
        except RefusedError as error:
            outcome, reason = error.outcome, str(error)
        except InputError as error:
            outcome, reason = "failed", str(error)
        except Exception as error:
            log.exception("the message could not be answered")
            outcome, reason = "failed", f"{type(error).__name__}: {error}"
        log.error("%s", reason)
        _note(site, _event(known, outcome, reason, started))
    return error_reply(message, NOT_APPROVED if outcome == "not-approved" else NOTHING_SENT, site.name)


def error_reply(message: Message, code: int, name: str) -> Message:
    """All that a server is told where the site called ``name`` sends nothing."""
    return Message(Error(code, f"{name} {TOLD[code]}"), reply_to=message)


def note_message(config: SiteConfig, message: Message, outcome: Outcome, reason: str) -> None:
    """Log what became of a message that did not come as far as ``answer``, or did not come back from it."""
    site, known = real_site(config), _Message(kind=message.metadata.message_type)
    run = message.content.config_records.get(RUN) if message.has_content() else None
    if run is not None and re.fullmatch(RUN_NAME, str(run.get("run", ""))):
        known.run = str(run["run"])
        known.round = number if isinstance(number := run.get("round"), int) else 0
    with log_to_site(site.home):
        log.error("%s", reason)
        _note(site, _event(known, outcome, reason, time.perf_counter()))


def _answered(
    message: Message, context: Context, call_next: Next, config: SiteConfig, site: RealSite, known: _Message
) -> tuple[Outcome, RecordDict]:
    """What became of the message, and the content that may leave.

    Raises:
        RefusedError, InputError: nothing may.
    """
    policy, approved = _permitted(message, config, site, known)
    site = site.in_run(known.run)
    question = question_of(message, known.round)
    account = read_account(site.home)
    answers = Answers(site.folder)
    stored = answers.admit(question, get_method(approved.method).rounds(approved))
    if stored is not None:
        return "repeated", stored
    if question.kind == MessageType.TRAIN:
        check_budget(account, policy, policy.noise_multiplier)
    _replace_config(message, approved)
    reply = call_next(message, context)
    content = _judged(message, reply, approved, question, site, policy, known)
    _write_down(message, content, question, site, account, answers, known)
    return "sent", content


def _permitted(message: Message, config: SiteConfig, site: RealSite, known: _Message) -> tuple[Policy, AnyConfig]:
    """The site's policy and the run that it approved, if the message asks for that and costs no more than it may."""
    known.kind = message.metadata.message_type
    size = content_bytes(message.content)
    if size > config.max_message_bytes:
        raise RefusedError(f"the message has {size} bytes, max-message-bytes is {config.max_message_bytes}")
    run = message.content.config_records.get(RUN)
    if run is None:
        raise RefusedError("the message has no instruction")
    name, number = str(run.get("run", "")), run.get("round")
    if known.kind not in KINDS or not isinstance(number, int) or not re.fullmatch(RUN_NAME, name):
        raise RefusedError("the message is none that a run of this application sends: kind, round or name of the run")
    known.run, known.round = name, number
    try:
        approved = approved_run(config)
    except InputError as error:
        raise RefusedError(str(error), "not-approved") from None
    known.method, known.rounds = approved.method, get_method(approved.method).rounds(approved)
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
    message: Message,
    reply: Message,
    approved: AnyConfig,
    question: Question,
    site: RealSite,
    policy: Policy,
    known: _Message,
) -> RecordDict:
    """The reply's content, with its noise, if contract and policy let it out."""
    if not reply.has_content():
        raise RefusedError("the reply has no content", "held-back")
    contract = _contract(question, site.configure(approved), site)
    found = violations(reply.content, contract) or policy_violations(reply.content, contract, policy)
    if found:
        raise RefusedError("; ".join(found), "held-back")
    if policy.clip_norm is not None:
        noise = Noise(policy.clip_norm, policy.noise_multiplier)
        if apply_noise(message, reply, noise):
            known.noise = noise.multiplier
    # The checked content alone goes on: the application's own message could carry free text in its metadata.
    return reply.content


def _contract(question: Question, config: AnyConfig, site: RealSite) -> Contract:
    method = get_method(config.method)
    contract = method.contract(config, site.place).at_institution()
    if question.kind == MessageType.TRAIN:
        return round_contract(contract, method.plan(config, question.round))
    return contract.delivery() if question.kind == DELIVER else contract.metrics_only()


def _write_down(
    message: Message,
    content: RecordDict,
    question: Question,
    site: RealSite,
    account: Account,
    answers: Answers,
    known: _Message,
) -> None:
    """Everything that must be on the disk before the reply leaves."""
    if question.kind == MessageType.TRAIN:
        spent = book(site.home, account, known.run, known.noise)
        if known.noise:
            log.info(
                "update %d of this run left with noise: epsilon %.3g at delta %g (%.3g over all runs of this site)",
                spent.updates,
                spent.epsilon,
                DELTA,
                spent.epsilon_of_all,
            )
        incoming = read_arrays(message.content).get(WEIGHTS)
        if incoming is not None:
            remember_model(site.folder, question.round, incoming, read_arrays(content).get(WEIGHTS))
    answers.keep(question, content)


def _event(known: _Message, outcome: Outcome, reason: str, started: float) -> Event:
    return Event(
        run=known.run,
        method=known.method,
        round=known.round,
        rounds=known.rounds,
        kind=known.kind,
        outcome=outcome,
        reason=reason,
        seconds=time.perf_counter() - started,
        noise=known.noise if outcome == "sent" else 0.0,
    )


def _note(site: RealSite, event: Event) -> None:
    """A line about a message that got no answer; a full disk must not turn the error into silence."""
    try:
        append_event(site.home, event)
    except (OSError, ValueError) as error:
        log.debug("no line about it could be written to the audit log (%s)", error)
