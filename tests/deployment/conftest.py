"""Fixtures of the deployment tests: data split over three sites, and federations of real processes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from federation import Federation, copy_code

SITES = ("site-0", "site-1", "site-2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: a server and its sites as processes of this machine."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("deployment")


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the application."""
    return copy_code(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits, split over three sites, as ``fedlpa partition`` writes them."""
    from fedlpa.partition import partition

    folder = tmp_path_factory.mktemp("digits") / "sites"
    partition("digits", 3, 1.0, 0, folder)
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few rows of the digits, split over three sites: for tests that are about processes, not about learning."""
    from common.data.read import ReadOptions
    from fedlpa.partition import partition

    folder = tmp_path_factory.mktemp("small") / "sites"
    partition("digits", 3, 10.0, 0, folder, options=ReadOptions(rows=360))
    return folder


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory, code: Path, small: Path) -> Iterator[Federation]:
    """A server with three sites on little data, all running."""
    made = Federation(
        tmp_path_factory.mktemp("federation"),
        code,
        SITES,
        ("rounds=3", "min-clients=2", "round-timeout=240", "grace-period=90", "quorum-timeout=200"),
    )
    made.init(small)
    try:
        made.start_all()
        yield made
    finally:
        made.stop()
