"""What both sides must agree on for FedLoG: its specification, and the form of condensed slots on the wire."""
