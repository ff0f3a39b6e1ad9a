"""FedLoG: what both sides must agree on, and the form of condensed slots on the wire."""

from common.methods.fedlog.spec import SPECS

__all__ = ["SPECS"]
