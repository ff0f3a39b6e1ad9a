"""What the server does with the replies, a room a method; the room's ``METHOD`` is all that others know of it."""

from typing import Any

from common.methods.registry import implementation
from common.settings import AnyConfig
from server_app.method import ServerMethod


def server_method(config: AnyConfig) -> ServerMethod[Any]:
    """The server's side of the run's method."""
    return implementation(__name__, config.method, ServerMethod)
