"""The console script: run a command, turn the two kinds of failure into one sentence and an exit status."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def run() -> None:
    """Exit 0: done; 1: the run failed; 2: wrong input or configuration."""
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    _check_packages()
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


def _check_packages() -> None:
    """Exit with status 2 if one of our packages, whose names are generic, is somebody else's."""
    home = Path(__file__).resolve().parents[1]
    for name in ("client_app", "common", "server_app"):
        spec = find_spec(name)
        if spec is None:
            print(f"fedlpa: the package '{name}' is missing in {home}; install fedlpa again.", file=sys.stderr)
            sys.exit(2)
        places = [Path(place).resolve() for place in spec.submodule_search_locations or [spec.origin or name]]
        if places != [home / name]:
            print(
                f"fedlpa: {places[0]} is taken for fedlpa's own package '{name}', which is {home / name}; start in "
                "another folder, or take that one off PYTHONPATH.",
                file=sys.stderr,
            )
            sys.exit(2)


if __name__ == "__main__":
    run()
