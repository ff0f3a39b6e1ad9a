"""Talking to the SuperLink's Control API: register sites, submit runs, ask how they are doing.

The commands ``flwr supernode``, ``flwr run`` and ``flwr ls`` speak the same protocol through the same client; each
of them costs a process and seconds a call, which following a run cannot afford.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from common.errors import InputError, RunFailedError
from fedlpa.federation.server_config import ServerConfig

if TYPE_CHECKING:
    from flwr.supercore.control import ControlHttpClient


@dataclass(frozen=True)
class Node:
    """A registered site. ``online`` is false about a minute after it was last heard of."""

    id: int
    name: str
    key: bytes
    online: bool


@dataclass(frozen=True)
class RunState:
    """``status`` is pending, starting, running or finished; ``detail`` says how a finished run ended."""

    status: str
    ok: bool
    detail: str


class NoServerError(RunFailedError):
    """The SuperLink does not answer."""


@contextmanager
def control(config: ServerConfig) -> Iterator["ControlHttpClient"]:
    """A client of the SuperLink of ``config``, on this machine.

    Raises:
        NoServerError: it does not answer; also from calls inside.
    """
    import httpx
    from flwr.supercore.control import ControlHttpClient
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

    try:
        client = ControlHttpClient.from_server_address(
            server_address=config.control,
            insecure=False,
            root_certificates=config.ca.read_bytes(),
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
        )
    except OSError as error:
        raise InputError(f"{config.ca} cannot be read ({error.strerror}); correct 'ca' in {config.source}.") from None
    try:
        yield client
    except httpx.HTTPStatusError as error:
        raise RunFailedError(f"the server refused: {error.response.status_code} {error.response.text[:300]}") from None
    except httpx.HTTPError as error:
        raise NoServerError(
            f"no server answers at {config.control} ({type(error).__name__}); start it with "
            f"'fedlpa server start --config {config.source}'."
        ) from None
    finally:
        client.close()


def nodes(client: "ControlHttpClient") -> list[Node]:
    """All registered sites."""
    from flwr.proto.control_pb2 import ListNodesRequest

    return [
        Node(info.node_id, info.name, bytes(info.public_key), info.status == "online")
        for info in client.ListNodes(ListNodesRequest()).nodes_info
        if info.status != "unregistered"
    ]


def register(client: "ControlHttpClient", name: str, key: bytes) -> None:
    """Let the site with this public key in."""
    from flwr.proto.control_pb2 import RegisterNodeRequest

    client.RegisterNode(RegisterNodeRequest(public_key=key, name=name))


def unregister(client: "ControlHttpClient", node: Node) -> None:
    """Shut a site out."""
    from flwr.proto.control_pb2 import UnregisterNodeRequest

    client.UnregisterNode(UnregisterNodeRequest(node_id=node.id))


def submit(client: "ControlHttpClient", bundle: bytes, run_folder: str) -> int:
    """Start a run of ``bundle`` whose configuration and files are in ``run_folder``; returns Flower's run id."""
    from flwr.common.serde import fab_to_proto, user_config_to_proto
    from flwr.proto.control_pb2 import StartRunRequest
    from flwr.supercore.fab import Fab

    response = client.StartRun(
        StartRunRequest(
            fab=fab_to_proto(Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})),
            override_config=user_config_to_proto({"run-folder": run_folder}),
        )
    )
    if not response.HasField("run_id"):
        raise RunFailedError("the server did not start the run; its log says why.")
    return int(response.run_id)


def state(client: "ControlHttpClient", run_id: int) -> RunState:
    """How a run is doing.

    Raises:
        RunFailedError: the server does not know the run.
    """
    from flwr.proto.control_pb2 import ListRunsRequest

    runs = client.ListRuns(ListRunsRequest(run_id=run_id)).run_dict
    if run_id not in runs:
        raise RunFailedError("the server does not know the run any more; was its database lost?")
    status = runs[run_id].status
    return RunState(status.status, status.sub_status == "completed", status.details or status.sub_status)


def stop(client: "ControlHttpClient", run_id: int) -> None:
    """End a run."""
    from flwr.proto.control_pb2 import StopRunRequest

    client.StopRun(StopRunRequest(run_id=run_id))


def read_public_key(content: bytes) -> bytes:
    """An OpenSSH public key in the form that the SuperLink keeps.

    Raises:
        ValueError: not a public key on a NIST curve.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes, uses_nist_ec_curve

    key = load_ssh_public_key(content)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not uses_nist_ec_curve(key):
        raise ValueError("not an elliptic-curve key on a NIST curve")
    return public_key_to_bytes(key)
