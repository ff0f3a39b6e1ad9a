"""``fedlpa benchmark SUITE``: tables that anyone can make again with one command."""
