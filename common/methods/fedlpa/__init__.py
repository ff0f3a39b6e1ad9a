"""FedLPA: what both sides must agree on; ``centralised`` is the same with all data in one place."""

from common.methods.fedlpa.spec import SPECS

__all__ = ["SPECS"]
