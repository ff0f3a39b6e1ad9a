"""FedLoG as published, at an institution (METHODS 2.1 to 2.4): branches, synthetic nodes, prompts, scaling."""

from client_app.methods.fedlog_published.delivery import deliver
from client_app.methods.fedlog_published.round import run_round

__all__ = ["deliver", "run_round"]
