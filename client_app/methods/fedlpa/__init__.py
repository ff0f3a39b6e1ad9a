"""FedLPA at an institution (docs/method.md): discover in private, align to the own prior, send weights."""

from client_app.methods.fedlpa.delivery import deliver
from client_app.methods.fedlpa.round import run_round

__all__ = ["deliver", "run_round"]
