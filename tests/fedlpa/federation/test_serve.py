"""The list of sites follows the folder of keys; a file that is no key ends neither the server nor another site."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from fedlpa.federation import serve
from fedlpa.federation.certificates import write_site_keys
from fedlpa.flower.control import Node, read_public_key


class Link:
    """The SuperLink's list of sites."""

    def __init__(self) -> None:
        self.known: list[Node] = []

    def register(self, client: object, name: str, key: bytes) -> None:
        self.known.append(Node(len(self.known), name, key, online=True))

    def unregister(self, client: object, node: Node) -> None:
        self.known.remove(node)

    @property
    def names(self) -> list[str]:
        return sorted(node.name for node in self.known)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Link:
    found = Link()

    @contextmanager
    def control(config: object):
        yield None

    monkeypatch.setattr(serve, "control", control)
    monkeypatch.setattr(serve, "nodes", lambda client: list(found.known))
    monkeypatch.setattr(serve, "register", found.register)
    monkeypatch.setattr(serve, "unregister", found.unregister)
    return found


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, bytes]:
    made = {}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made[name] = write_site_keys(tmp_path / name).read_bytes()
    return made


def test_half_a_key_is_said_and_left_out_and_the_others_go_on(
    link: Link, keys: dict[str, bytes], tmp_path: Path
) -> None:
    sites = tmp_path / "sites"
    sites.mkdir()
    config = SimpleNamespace(sites=sites)
    (sites / "a.pub").write_bytes(keys["a"])
    assert serve.follow_keys(config) == (["site a is registered"], ())
    (sites / "b.pub").write_bytes(keys["b"][: len(keys["b"]) // 2])
    changes, (fault,) = serve.follow_keys(config)
    assert (changes, link.names) == ([], ["a"])
    assert fault.startswith(f"{sites / 'b.pub'} is not a site's public key")
    (sites / "b.pub").write_bytes(keys["b"])
    assert serve.follow_keys(config) == (["site b is registered"], ())
    assert [node.key for node in link.known] == [read_public_key(keys[name]) for name in "ab"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"ssh-rsa AAAA", None])
def test_a_site_that_is_in_stays_in_while_its_file_is_damaged(
    link: Link, keys: dict[str, bytes], tmp_path: Path, content: bytes | None
) -> None:
    sites = tmp_path / "sites"
    sites.mkdir()
    config = SimpleNamespace(sites=sites)
    for name, key in keys.items():
        (sites / f"{name}.pub").write_bytes(key)
    serve.follow_keys(config)
    if content is None:
        (sites / "b.pub").unlink()
        assert serve.follow_keys(config)[0] == [f"site b is shut out: its key is no longer in {sites}"]
    else:
        (sites / "b.pub").write_bytes(content)
        assert len(serve.follow_keys(config)[1]) == 1
        assert link.names == ["a", "b"]


def test_one_key_under_two_names_is_one_site(link: Link, keys: dict[str, bytes], tmp_path: Path) -> None:
    sites = tmp_path / "sites"
    sites.mkdir()
    for name in ("a", "c"):
        (sites / f"{name}.pub").write_bytes(keys["a"])
    _, (fault,) = serve.follow_keys(SimpleNamespace(sites=sites))
    assert fault == f"{sites / 'c.pub'} holds the same key as a.pub; every site needs its own"
    assert link.names == ["a"]
