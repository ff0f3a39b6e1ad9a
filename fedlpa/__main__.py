"""The console script: run a command, turn the two kinds of failure into one sentence and an exit status."""

import os
import sys


def run() -> None:
    """Exit 0: done; 1: the run failed; 2: wrong input or configuration."""
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    from common.errors import InputError, RunFailedError
    from fedlpa.cli import app

    try:
        app()
    except InputError as error:
        print(f"fedlpa: {error}", file=sys.stderr)
        sys.exit(2)
    except RunFailedError as error:
        print(f"fedlpa: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
