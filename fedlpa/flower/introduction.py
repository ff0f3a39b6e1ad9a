"""Does a server know a site's key, as Flower's SuperNode would ask it? The question changes nothing at the server.

It asks to be activated with an interval that the server must refuse: the key is looked up first, and that is all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from client_app.site_config import SiteConfig

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KNOWN, UNKNOWN = 2003, 2004
"""Flower's error codes for an interval that will not do, and for a key that may not be activated."""


@dataclass(frozen=True)
class Answer:
    """``code`` is Flower's; None where the server did not look the key up, and ``told`` says why.

    ``silent``: nothing came back in time, or the connection broke off.
    """

    code: int | None
    told: str
    silent: bool = False


def introduce(config: SiteConfig, key: "EllipticCurvePrivateKey", shift: timedelta, patience: float) -> Answer:
    """What the server says to ``key``.

    Args:
        shift: sign as of now + ``shift``.
        patience: seconds to wait for the answer.
    """
    import grpc
    from flwr.common.constant import PUBLIC_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
    from flwr.proto.fleet_pb2 import ActivateNodeRequest
    from flwr.proto.fleet_pb2_grpc import FleetStub
    from flwr.supercore.error import FlowerError
    from flwr.supercore.interceptors import RuntimeVersionClientInterceptor
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes, sign_message

    public = public_key_to_bytes(key.public_key())
    stamp = (datetime.now(UTC) + shift).isoformat()
    metadata = (
        (PUBLIC_KEY_HEADER, public),
        (TIMESTAMP_HEADER, stamp),
        (SIGNATURE_HEADER, sign_message(key, stamp.encode("ascii"))),
    )
    channel = grpc.intercept_channel(
        grpc.secure_channel(config.server, grpc.ssl_channel_credentials(config.ca.read_bytes())),
        RuntimeVersionClientInterceptor(component_name="SuperNode"),
    )
    with channel:
        try:
            FleetStub(channel).ActivateNode(
                ActivateNodeRequest(public_key=public, heartbeat_interval=0.0), metadata=metadata, timeout=patience
            )
        except grpc.RpcError as error:
            details = str(error.details() or "")
            known = FlowerError.from_json(details)
            if known:
                return Answer(int(known.code), str(known.message))
            silent = error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
            return Answer(None, details or str(error.code()), silent)
    return Answer(None, "activated")
