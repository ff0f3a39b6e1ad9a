"""Who may not take part is refused, and learns why; what would keep a site away is named by the preflight."""

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from federation import Federation

from client_app.site_config import SiteConfig, load_site_config
from fedlpa.federation import certificates
from fedlpa.flower import introduction
from fedlpa.site.check import check_site
from fedlpa.site.connection import check_connection


@pytest.fixture
def stranger(federation: Federation, tmp_path: Path) -> Path:
    """A copy of a site's folder, to be spoilt."""
    folder = tmp_path / "stranger"
    shutil.copytree(federation.site("site-0"), folder, ignore=shutil.ignore_patterns("state"))
    return folder


def cause(folder: Path) -> str:
    finding = check_connection(load_site_config(folder / "site.toml"))[-1]
    assert not finding.ok
    return finding.told


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "site.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_site_that_may_take_part_passes(federation: Federation) -> None:
    findings = check_connection(load_site_config(federation.site("site-0") / "site.toml"))
    assert [finding.check for finding in findings] == ["address", "port", "tls", "key"]
    assert all(finding.ok for finding in findings)


def test_unregistered_key(federation: Federation, stranger: Path) -> None:
    (stranger / "site.key").unlink()
    certificates.write_site_keys(stranger)
    assert "does not know this site's key" in cause(stranger)
    told = federation.command("site", "start", "--config", str(stranger / "site.toml"))
    assert told.returncode == 1
    assert "does not know this site's key" in told.stderr


def test_wrong_authority(federation: Federation, stranger: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificates.write_authority(other)
    shutil.copyfile(other / "ca.crt", stranger / "ca.crt")
    assert "is not signed by" in cause(stranger)
    told = federation.command("site", "start", "--config", str(stranger / "site.toml"))
    assert told.returncode == 1
    assert "is not signed by" in told.stderr


def test_flower_refuses_the_key_of_a_stranger_too(federation: Federation, stranger: Path) -> None:
    """The preflight is a courtesy: the SuperLink itself turns the SuperNode away."""
    import subprocess
    import sys

    from fedlpa.flower.processes import flower_environment, free_port
    from fedlpa.flower.supernode import supernode_arguments

    (stranger / "site.key").unlink()
    certificates.write_site_keys(stranger)
    config = load_site_config(stranger / "site.toml")
    config.state.mkdir(exist_ok=True)
    (config.state / "runtime.secret").write_bytes(b"secret")
    program = str(Path(sys.executable).parent / "flower-supernode")
    import os

    told = subprocess.run(
        [program, *supernode_arguments(config, free_port())],
        env={**os.environ, **flower_environment(tmp_home(stranger))}, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert told.returncode != 0
    assert "2004" in told.stdout + told.stderr


def tmp_home(folder: Path) -> Path:
    return folder / "flower"


def test_plaintext_is_not_answered(federation: Federation) -> None:
    with socket.create_connection(("127.0.0.1", federation.port), timeout=10) as plain:
        plain.settimeout(10)
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9)
        assert plain.recv(100) == b""


def test_a_server_that_speaks_plaintext(stranger: Path, federation: Federation) -> None:
    with listening(None) as port:
        edit(stranger, f"localhost:{federation.port}", f"localhost:{port}")
        assert "does not speak TLS" in cause(stranger)


def test_wrong_host_name(stranger: Path, federation: Federation) -> None:
    edit(stranger, f"localhost:{federation.port}", f"127.0.0.2:{federation.port}")
    assert "is not for 127.0.0.2" in cause(stranger)


def test_expired_certificate(
    stranger: Path, federation: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) - timedelta(days=4000)

    authority = federation.home / "ca"
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "datetime", Past)
        certificates.write_server_certificate(tmp_path, authority, ("localhost",))
    with listening(tmp_path) as port:
        edit(stranger, f"localhost:{federation.port}", f"localhost:{port}")
        assert "has expired" in cause(stranger)


def test_closed_port_and_unknown_name(stranger: Path, federation: Federation) -> None:
    edit(stranger, f"localhost:{federation.port}", "localhost:1")
    assert "is closed" in cause(stranger)
    edit(stranger, "localhost:1", "no-such-host.invalid:9092")
    assert "does not resolve" in cause(stranger)


def test_clock_that_is_ahead(stranger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(minutes=10)

    monkeypatch.setattr(introduction, "datetime", Ahead)
    assert "minutes ahead of the server's" in cause(stranger)


def failures(config: SiteConfig) -> dict[str, str]:
    return {finding.check: finding.told for finding in check_site(config) if not finding.ok}


def test_preflight_names_what_is_wrong_at_the_site(federation: Federation, stranger: Path) -> None:
    policy = stranger / "policy.yaml"
    policy.write_text(policy.read_text().replace("  - seconds\n", "").replace("[weights, catalogue]", "[weights]"))
    (stranger / "data.parquet").write_bytes(b"not a table")
    (stranger / "state").write_text("a file where the state folder should be")
    found = failures(load_site_config(stranger / "site.toml"))
    assert "stricter than the run" in found["policy"]
    assert "'catalogue'" in found["policy"]
    assert "'seconds'" in found["policy"]
    assert "data" in found
    assert "cannot be written" in found["state"]
    policy.unlink()
    edit(stranger, 'data = "data.parquet"', 'data = "elsewhere.parquet"')
    found = failures(load_site_config(stranger / "site.toml"))
    assert "does not exist, so nothing may leave" in found["policy"]
    assert "elsewhere.parquet does not exist" in found["data"]


def test_init_refuses_to_overwrite_and_bad_names(federation: Federation, tmp_path: Path) -> None:
    again = federation.command("federation", "init", str(federation.home), "--host", "localhost", "--sites", "a")
    assert again.returncode == 2
    assert "never overwritten" in again.stderr
    for sites, host in (("a,a", "localhost"), ("a/b", "localhost"), ("a", "bad host"), ("", "localhost")):
        told = federation.command("federation", "init", str(tmp_path / "new"), "--host", host, "--sites", sites)
        assert told.returncode == 2, told.stderr
        assert not (tmp_path / "new").exists()


def test_a_key_that_others_can_read(stranger: Path) -> None:
    (stranger / "site.key").chmod(0o644)
    assert "can be read by others" in cause(stranger)


def test_unknown_setting_names_the_nearest(federation: Federation, stranger: Path) -> None:
    edit(stranger, "data =", "dta =")
    told = federation.command("site", "check", "--config", str(stranger / "site.toml"))
    assert told.returncode == 2
    assert "did you mean 'data'?" in told.stderr
    assert json.dumps(str(stranger / "site.toml"))[1:-1] in told.stderr


@contextmanager
def listening(certificate: Path | None) -> Iterator[int]:
    """A server that takes one connection after the other: plaintext, or TLS with the certificate in a folder."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "server.crt", certificate / "server.key")

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                if context is None:
                    plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                else:
                    context.wrap_socket(plain, server_side=True)
            except (OSError, ssl.SSLError):
                pass
            finally:
                plain.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()
