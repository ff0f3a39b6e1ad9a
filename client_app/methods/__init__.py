"""One folder a method; each offers ``run_round(task)`` and ``deliver(task)``, named in common.methods."""
