"""Whole runs: Ray, commands as processes, or all rounds in this process. ``make quick`` leaves them out."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here, so that ``-m "not runs"`` leaves it out wherever it is asked for."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("runs")
