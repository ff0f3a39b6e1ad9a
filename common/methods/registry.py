"""Which methods there are: every module or package of ``common.methods`` that has ``SPECS`` is a room of methods.

Its code stands in the rooms of the same name, ``client_app.methods.<room>`` and ``server_app.methods.<room>``, each
with a ``METHOD``; one room may hold several methods that differ in settings only.
"""

import importlib
import pkgutil
from functools import cache
from typing import Any, TypeVar

import common.methods
from common.errors import InputError, nearest
from common.methods.method_spec import MethodSpec
from common.settings import AnyConfig

M = TypeVar("M")


@cache
def _rooms() -> dict[str, tuple[str, MethodSpec[Any]]]:
    """Room and specification of every method, by its name."""
    found: dict[str, tuple[str, MethodSpec[Any]]] = {}
    for info in pkgutil.iter_modules(common.methods.__path__):
        module = importlib.import_module(f"{common.methods.__name__}.{info.name}")
        for spec in getattr(module, "SPECS", ()):
            assert isinstance(spec, MethodSpec)
            assert spec.name not in found, f"two methods are called {spec.name}"
            found[spec.name] = info.name, spec
    return found


def all_methods() -> dict[str, MethodSpec[Any]]:
    """Every method by its name."""
    return {name: spec for name, (_, spec) in _rooms().items()}


def get_method(name: str) -> MethodSpec[Any]:
    """The method called ``name``.

    Raises:
        InputError: there is none; names the nearest.
    """
    if name not in _rooms():
        raise InputError(f"unknown method '{name}'; {nearest(name, _rooms())}")
    return _rooms()[name][1]


def implementation(package: str, name: str, kind: type[M]) -> M:
    """What one side has for the method ``name``: ``METHOD`` of its room in ``package``."""
    get_method(name)
    found = importlib.import_module(f"{package}.{_rooms()[name][0]}").METHOD
    if not isinstance(found, kind):
        raise TypeError(f"METHOD of {package}.{_rooms()[name][0]} is no {kind.__name__}")
    return found


def training_sites(config: AnyConfig) -> int:
    """How many sites of a simulation train: without the held-out ones; one where the method pools all data."""
    return 1 if get_method(config.method).pooled else config.clients - config.held_out_sites


def updates_sent(config: AnyConfig, rounds: int) -> int:
    """How many of the first ``rounds`` rounds send an update of the weights."""
    plan = get_method(config.method).plan
    return sum(plan(config, number).sends_weights for number in range(1, rounds + 1))
