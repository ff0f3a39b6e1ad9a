"""Can this site reach its server, believe it, and be believed? Each question alone, so that a no names its cause."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from client_app.site_config import SiteConfig
from common.one_line import one_line
from fedlpa.flower.introduction import KNOWN, UNKNOWN, introduce

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PATIENCE = 10.0
"""Seconds to wait for an answer."""
TOLD = 200
"""Characters of the server's own words that are passed on."""


@dataclass(frozen=True)
class Finding:
    """What one check came to. ``passing``: waiting may help, as with a server that is down."""

    check: str
    ok: bool
    told: str
    passing: bool = False


def check_connection(config: SiteConfig) -> list[Finding]:
    """Address, port, TLS, registration, clock, version; ends with the first that fails."""
    host, _, port_text = config.server.rpartition(":")
    host, port = host.strip("[]"), int(port_text)
    findings: list[Finding] = []
    steps: tuple[Callable[[], Finding], ...] = (
        lambda: _resolve(host, port),
        lambda: _connect(host, port),
        lambda: _handshake(config, host, port),
        lambda: _introduce(config),
    )
    for step in steps:
        findings.append(step())
        if not findings[-1].ok:
            break
    return findings


def load_key(config: SiteConfig) -> "EllipticCurvePrivateKey":
    """The site's private key.

    Raises:
        ValueError: missing, readable by others, or not a key that a SuperNode can use.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        if config.key.stat().st_mode & 0o077:
            raise ValueError(f"{config.key} can be read by others; run chmod 600 on it")
        key = load_ssh_private_key(config.key.read_bytes(), None)
    except OSError as error:
        raise ValueError(f"{config.key} cannot be read ({error.strerror}); correct 'key' in {config.source}") from None
    except UnsupportedAlgorithm:
        key = None
    except ValueError as error:
        if str(config.key) in str(error):
            raise
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{config.key} is not an elliptic-curve key in OpenSSH form; put the site's own key there")
    return key


def _resolve(host: str, port: int) -> Finding:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Finding(
            "address", False, f"the name {host} does not resolve; check 'server' and this machine's DNS", passing=True
        )
    return Finding("address", True, f"{host} is {found[0][4][0]}")


def _connect(host: str, port: int) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=PATIENCE):
            return Finding("port", True, f"port {port} is open")
    except TimeoutError:
        told = f"{host} does not answer on port {port}; a firewall may drop the connection"
    except ConnectionRefusedError:
        told = f"port {port} of {host} is closed; the server is not running, or listens elsewhere"
    except OSError as error:
        told = f"{host} cannot be reached on port {port} ({error.strerror})"
    return Finding("port", False, told, passing=True)


def _handshake(config: SiteConfig, host: str, port: int) -> Finding:
    try:
        context = ssl.create_default_context(cafile=str(config.ca))
    except (OSError, ssl.SSLError):
        return Finding("tls", False, f"{config.ca} is not a readable CA certificate; correct 'ca' in {config.source}")
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            expires = _expiry(tls)
    except ssl.SSLCertVerificationError as error:
        return Finding("tls", False, _why_not_trusted(error, config, host))
    except (ssl.SSLError, ConnectionError, EOFError):
        return Finding("tls", False, f"port {port} of {host} does not speak TLS; is it the federation's server?")
    except TimeoutError:
        told = f"{host} takes connections on port {port} but does not answer; the server hangs, or is overloaded"
        return Finding("tls", False, told, passing=True)
    except OSError as error:
        told = f"the TLS handshake with {host} broke off ({one_line(error, TOLD)})"
        return Finding("tls", False, told, passing=True)
    left = expires - datetime.now(UTC)
    if left < timedelta(days=30):
        return Finding("tls", True, f"trusted, but the server's certificate expires in {left.days} days")
    return Finding("tls", True, f"the server's certificate is trusted until {expires:%Y-%m-%d}")


def _expiry(tls: ssl.SSLSocket) -> datetime:
    certificate: Any = tls.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _why_not_trusted(error: ssl.SSLCertVerificationError, config: SiteConfig, host: str) -> str:
    now = f"this machine's clock says {datetime.now().astimezone():%Y-%m-%d %H:%M}"
    match error.verify_code:
        case 10:
            return f"the server's certificate has expired ({now}); its operator must renew it"
        case 9:
            return f"the server's certificate is not valid yet ({now}); check the clock"
        case 62 | 64:
            return (
                f"the server's certificate is not for {host}; use the name it was made for in 'server', or have the "
                f"operator add {host} to it"
            )
    return f"the server's certificate is not signed by {config.ca}; get the federation's ca.crt from its operator"


def _introduce(config: SiteConfig) -> Finding:
    try:
        key = load_key(config)
    except ValueError as error:
        return Finding("key", False, str(error))
    try:
        answer = introduce(config, key, timedelta(0), PATIENCE)
    except OSError as error:
        return Finding("key", False, f"{config.ca} cannot be read ({error.strerror}); correct 'ca' in {config.source}")
    told = one_line(answer.told or answer.code, TOLD)
    if answer.code == KNOWN:
        return Finding("key", True, "the server knows this site's key")
    if answer.code == UNKNOWN:
        return Finding(
            "key", False, f"the server does not know this site's key; have its operator add {config.name}.pub"
        )
    if "timestamp" in answer.told:
        return Finding("clock", False, _skew(config, key))
    if "ersion" in answer.told:
        return Finding("version", False, f"the server runs another version of Flower ({told}); install the same")
    if answer.silent:
        told = f"{config.server} speaks TLS but does not answer ({told}); the server hangs or is overloaded"
        return Finding("key", False, told, passing=True)
    return Finding("key", False, f"the server did not take the key ({told})", passing=True)


def _skew(config: SiteConfig, key: "EllipticCurvePrivateKey") -> str:
    """The server takes signatures at most 5 s early and 305 s old: shifting ours finds out by how much we are off."""
    for minutes in range(4, 121, 4):
        for sign, word in ((-1, "ahead of"), (1, "behind")):
            answer = introduce(config, key, timedelta(minutes=sign * minutes), PATIENCE)
            if answer.silent:
                return "this machine's clock is not the server's; synchronise it (NTP)"
            if answer.code is not None:
                return f"this machine's clock is about {minutes} minutes {word} the server's; synchronise it (NTP)"
    return "this machine's clock is hours away from the server's; synchronise it (NTP)"
