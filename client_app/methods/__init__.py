"""What every method does at an institution, a room a method; the room's ``METHOD`` is all that others know of it."""

from typing import Any

from client_app.method import ClientMethod
from common.methods.registry import implementation
from common.settings import AnyConfig


def client_method(config: AnyConfig) -> ClientMethod[Any]:
    """The client's side of the run's method."""
    return implementation(__name__, config.method, ClientMethod)
