"""The two ways a command ends badly."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Wrong input or configuration.

    The message is one sentence that says what is wrong, where, and how to mend it.
    The command line prints it and exits with status 2.
    """


class RunFailedError(Exception):
    """The run itself failed; the command line prints the cause and exits with status 1."""


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint naming the known name closest to ``name``; if none is close ``otherwise``, or all of them.

    >>> nearest("alhpa", ["alpha", "seed"])
    "did you mean 'alpha'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else otherwise or f"known: {', '.join(names)}"
