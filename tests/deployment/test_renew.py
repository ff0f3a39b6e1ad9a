"""A new server certificate: a server started on it is believed by sites that have changed nothing."""

import contextlib
import shutil
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from federation import Federation

from client_app.site_config import load_site_config
from common.errors import InputError
from fedlpa.federation import certificates
from fedlpa.federation.init import init_federation
from fedlpa.federation.renew import renew_certificate
from fedlpa.site.connection import check_connection


@pytest.fixture
def served(tmp_path: Path, code: Path, small: Path) -> Iterator[Federation]:
    made = Federation(tmp_path, code, ("site-0",))
    made.init(small)
    try:
        yield made
    finally:
        made.stop()


def presented(port: int) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("localhost", port)).encode())


def test_sites_believe_a_server_with_a_renewed_certificate(served: Federation) -> None:
    site = load_site_config(served.site("site-0") / "site.toml")
    before = {path: path.read_bytes() for path in served.site("site-0").rglob("*") if path.is_file()}
    served.start_server()
    old = presented(served.port)
    told = served.command("federation", "renew", str(served.home), "--days", "100")
    assert told.returncode == 0, told.stderr
    assert presented(served.port).serial_number == old.serial_number, "a running server goes on with what it has read"
    served.stop()
    (served.folder / "server.out").unlink()
    served.start_server()
    new = presented(served.port)
    assert new.serial_number != old.serial_number
    assert new.public_key() != old.public_key()
    names = x509.SubjectAlternativeName
    assert set(new.extensions.get_extension_for_class(names).value) == set(
        old.extensions.get_extension_for_class(names).value
    )
    assert abs(new.not_valid_after_utc - datetime.now(UTC) - timedelta(days=100)) < timedelta(hours=1)
    findings = check_connection(site)
    assert [finding.check for finding in findings if finding.ok] == ["address", "port", "tls", "key"], findings
    assert {path: path.read_bytes() for path in before} == before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_federation(tmp_path / "fl", "fl.example.org", ("a",))
    return tmp_path / "fl"


def test_an_expired_certificate_is_renewed_with_an_authority_kept_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) - timedelta(days=1000)

    server = folder / "server"
    for name in ("server.key", "server.crt"):
        (server / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "datetime", Past)
        certificates.write_server_certificate(server, folder / "ca", ("fl.example.org", "10.1.2.3"))
    shutil.move(folder / "ca", tmp_path / "usb")
    with pytest.raises(InputError, match=r"ca\.key is not here; put it back .* --ca"):
        renew_certificate(folder)
    old = {name: (server / name).read_bytes() for name in ("server.key", "server.crt")}
    renew_certificate(folder, authority=tmp_path / "usb")
    assert (server / "server.key").stat().st_mode & 0o777 == 0o600
    assert {name: (server / f"{name}.old").read_bytes() for name in old} == old
    assert (server / "server.key.old").stat().st_mode & 0o777 == 0o600
    assert not list(server.glob(".renew*"))
    for name in ("fl.example.org", "10.1.2.3", "localhost"):
        shake_hands(server, folder / "sites" / "a" / "ca.crt", name)
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        shake_hands(server, folder / "sites" / "a" / "ca.crt", "elsewhere.org")
    renew_certificate(folder, authority=tmp_path / "usb")


def test_what_cannot_be_renewed_is_said_and_nothing_is_touched(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    other = tmp_path / "other"
    other.mkdir()
    certificates.write_authority(other)
    with pytest.raises(InputError, match="which the sites trust; give that authority's key"):
        renew_certificate(folder, authority=other)
    with pytest.raises(InputError, match="beyond the authority's own end"):
        renew_certificate(folder, days=3651)
    with pytest.raises(InputError, match="holds no federation"):
        renew_certificate(tmp_path)
    (other / "ca.key").write_text("not a key")
    with pytest.raises(InputError, match="is not a private key"):
        renew_certificate(folder, authority=other)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def shake_hands(server: Path, authority: Path, name: str) -> None:
    """A TLS handshake in memory between the files of a server and of a site that calls it by ``name``."""
    inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inward.load_cert_chain(server / "server.crt", server / "server.key")
    outward = ssl.create_default_context(cafile=str(authority))
    to_server, to_site = ssl.MemoryBIO(), ssl.MemoryBIO()
    site = outward.wrap_bio(to_site, to_server, server_hostname=name)
    host = inward.wrap_bio(to_server, to_site, server_side=True)
    for end in (site, host) * 4:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    assert site.cipher() is not None
