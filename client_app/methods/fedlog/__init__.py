"""FedLoG at an institution (docs/fedlog.md): condense once, train on real nodes and all slots, keep an own model."""

from client_app.methods.fedlog.delivery import deliver
from client_app.methods.fedlog.round import run_round

__all__ = ["deliver", "run_round"]
