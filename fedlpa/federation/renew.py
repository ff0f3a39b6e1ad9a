"""``fedlpa federation renew``: a new server certificate for the same names, from the federation's own authority."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from common.errors import InputError
from fedlpa.federation.certificates import SERVER_DAYS, write_server_certificate
from fedlpa.federation.server_config import ServerConfig, load_server_config


def renew_certificate(folder: Path, *, days: int = SERVER_DAYS, authority: Path | None = None) -> datetime:
    """Replace the server's certificate and key below ``folder``; the old pair stays beside them as ``*.old``.

    Sites trust the authority, not the certificate: nothing changes for them. A running server goes on with the pair
    it has read; it takes the new one when it is started again.

    Args:
        days: how long the new certificate is valid.
        authority: folder with ``ca.key`` and ``ca.crt``; None: ``folder/ca``.

    Returns:
        when the new certificate ends.

    Raises:
        InputError: no federation, no key of the authority or another federation's, or a time beyond its own.
    """
    if not (folder / "server" / "server.toml").is_file():
        raise InputError(f"{folder} holds no federation; give the folder that 'federation init' made.")
    config = load_server_config(folder / "server" / "server.toml")
    authority = authority or folder / "ca"
    _check_authority(config, authority, days)
    hosts = _names(config)
    with tempfile.TemporaryDirectory(dir=config.certificate.parent, prefix=".renew.") as building:
        made = Path(building)
        write_server_certificate(made, authority, hosts, days)
        ends = _read_certificate(made / "server.crt").not_valid_after_utc
        for old in (config.key, config.certificate):
            if old.exists():
                kept = old.with_name(f"{old.name}.old")
                kept.unlink(missing_ok=True)
                kept.hardlink_to(old)
        # Each takes its place at once. Should this end between the two, the command is simply given again.
        (made / "server.key").replace(config.key)
        (made / "server.crt").replace(config.certificate)
    return ends


def _check_authority(config: ServerConfig, authority: Path, days: int) -> None:
    key_file = authority / "ca.key"
    try:
        key = load_pem_private_key(key_file.read_bytes(), None)
    except FileNotFoundError:
        raise InputError(
            f"{key_file} is not here; put it back from where it is kept, or name its folder with --ca."
        ) from None
    except OSError as error:
        raise InputError(f"{key_file} cannot be read ({error.strerror}); mend its owner or mode.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(f"{key_file} is not a private key without password; give the authority's own.") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    for file in (authority / "ca.crt", config.ca):
        certificate = _read_certificate(file)
        if certificate.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
            raise InputError(f"{key_file} does not belong to {file}, which the sites trust; give that authority's key.")
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        if timedelta(days=days) > left:
            raise InputError(
                f"--days {days} goes beyond the authority's own end, {certificate.not_valid_after_utc:%Y-%m-%d}; "
                f"give at most {max(0, left.days)}."
            )


def _names(config: ServerConfig) -> tuple[str, ...]:
    """The names that the certificate was made for."""
    try:
        found = _read_certificate(config.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise InputError(f"{config.certificate} names no host; put the right one back there.") from None
    addresses = found.value.get_values_for_type(x509.IPAddress)
    return (*found.value.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); put the certificate back there.") from None
    except ValueError:
        raise InputError(f"{path} is not a certificate; put the right one back there.") from None
