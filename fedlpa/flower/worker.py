"""The process in which the site's application runs: started ahead of the messages, fed by the SuperNode.

It takes the place of ``flwr-clientapp``, which would install and run the bundle that the server sent. Here the
bundle is only hashed: what runs is the installed package, and only if bundle, package and the pin in ``site.toml``
are the same. It takes on ClientApp messages only, so the SuperNode has no other way to have anything run.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from client_app.site_config import load_site_config
from fedlpa.flower.pin import installed_hash
from fedlpa.site.approval import refusal

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor, SuperExecAuthHttpInterceptor
    from flwr.supercore.runtime import RuntimeHttpClient

POLL = 0.5
BEAT, PATIENCE = 4.0, 3
"""Seconds between two heartbeats; how many may be refused before the message is given up."""
RENEW = 75
"""Exit status with which the worker asks to be started afresh, on code that has changed meanwhile."""


def main() -> None:
    """Arguments: parent process, ``site.toml``, address of the SuperNode's Runtime API, file with its secret."""
    os.umask(0o077)  # what it leaves is the site's alone
    parent, source, address, secret = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    running = installed_hash()
    from flwr.supercore.app_utils import start_parent_process_monitor

    start_parent_process_monitor(parent)
    _import_ahead()
    while True:
        token = _next_task(address, secret.read_bytes())
        last = _work(source, running, address, token)
        if last or installed_hash() != running:
            sys.exit(RENEW)


def _import_ahead() -> None:
    """Seconds that would otherwise be spent while the federation waits."""
    import client_app.app
    import client_app.site_data
    import client_app.state  # noqa: F401


def _runtime(
    address: str, component: str, interceptor: "RuntimeTokenHttpInterceptor | SuperExecAuthHttpInterceptor"
) -> "RuntimeHttpClient":
    """A client of the SuperNode's Runtime API, which shows the token or the secret that ``interceptor`` knows."""
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
    from flwr.supercore.retry import make_simple_http_retry_invoker
    from flwr.supercore.runtime import RuntimeHttpClient

    return RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=True,
        root_certificates=None,
        interceptors=[RuntimeVersionHttpInterceptor(component_name=component), interceptor],
        retry_invoker=make_simple_http_retry_invoker(),
    )


def _next_task(address: str, secret: bytes) -> str:
    from flwr.proto.runtime_pb2 import AcquireTaskRequest
    from flwr.supercore.constant import TaskType
    from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor

    methods = frozenset({"/flwr.proto.Runtime/AcquireTask"})
    shown = SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=methods)
    client = _runtime(address, "SuperExec", shown)
    try:
        while True:
            answer = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP]))
            if answer.HasField("task") and answer.token:
                return str(answer.token)
            time.sleep(POLL)
    finally:
        client.close()


def _work(source: Path, running: str, address: str, token: str) -> bool:
    """Answer one message; returns whether it was the last of its run."""
    from flwr.common.constant import SubStatus
    from flwr.supercore.heartbeat import make_task_heartbeat_fn_http
    from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor
    from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

    from common.wire.messages import DELIVER

    client = _runtime(address, "flwr-clientapp", RuntimeTokenHttpInterceptor(token))
    done = threading.Event()
    beat = make_task_heartbeat_fn_http(client)
    threading.Thread(target=_keep_claim, args=(beat, done), daemon=True).start()
    try:
        message, context, _, fab = pull_task_input(client)

        def send(reply: "Message") -> None:
            push_message(client, reply, context)
            push_task_output(client, context, SubStatus.COMPLETED, "")

        send(_answer(source, running, fab.content, message, context, send))
        return message.metadata.message_type == DELIVER
    finally:
        done.set()
        client.close()


def _keep_claim(beat: Callable[[], bool], done: threading.Event) -> None:
    """Tell the SuperNode that the message is being worked on; once it no longer wants to know, stop working."""
    import httpx

    refused = 0
    while not done.wait(BEAT):
        try:
            refused = 0 if beat() else refused + 1
        except httpx.HTTPError:
            refused += 1
        if refused >= PATIENCE and not done.is_set():
            os._exit(RENEW)


def _answer(
    source: Path,
    running: str,
    bundle: bytes,
    message: "Message",
    context: "Context",
    send: Callable[["Message"], None],
) -> "Message":
    """The application's answer, or an error without content if the application is not the approved one.

    Args:
        send: takes the answer of a message whose work has to be broken off, before this process ends.
    """
    from client_app.app import app
    from client_app.institution import NOT_APPROVED, NOTHING_SENT, error_reply, note_message
    from client_app.limits import held_to
    from client_app.site import SITE_CONFIG

    try:
        config = load_site_config(source)
        found = refusal(config, running, bundle)
        if found is not None:
            note_message(config, message, "not-approved", found)
            return error_reply(message, NOT_APPROVED, config.name)
        context.node_config = {**context.node_config, SITE_CONFIG: str(source)}

        def break_off(why: str) -> None:
            try:
                note_message(config, message, "failed", why)
                send(error_reply(message, NOTHING_SENT, config.name))
            finally:
                os._exit(RENEW)

        with held_to(config, break_off):
            return app(message, context)
    except Exception as error:
        logging.getLogger("flwr").exception("the message could not be worked on")
        with suppress(Exception):
            note_message(load_site_config(source), message, "failed", f"{type(error).__name__}: {error}")
        return error_reply(message, NOTHING_SENT, "a site")


if __name__ == "__main__":
    main()
