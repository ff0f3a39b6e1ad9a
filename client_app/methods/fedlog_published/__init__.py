"""FedLoG as published, at an institution: branches, prompts, scaling (docs/fedlog.md#the-published-form)."""

from client_app.methods.fedlog_published.delivery import deliver
from client_app.methods.fedlog_published.round import run_round

__all__ = ["deliver", "run_round"]
