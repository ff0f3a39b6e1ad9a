"""Text of others on one line: what a message brought can neither forge a line of a log nor steer a terminal."""

MOST = 2000
"""Characters that a line of a log or a terminal has at most."""


def one_line(text: object, most: int = MOST) -> str:
    r"""``text`` with every character that does not print escaped, at most ``most`` characters long.

    Line ends, escape sequences, marks that turn the direction of writing and lone surrogates are such characters.

    >>> one_line("label\n2026-01-01 INFO all is well")
    'label\\n2026-01-01 INFO all is well'
    >>> one_line("a" * 50, most=20)
    'aaaaaaaaaaaaaaaaa...'
    """
    start = str(text)
    shown = "".join(letter if letter.isprintable() else _escaped(letter) for letter in start[:most])
    return shown if len(shown) <= most and len(start) <= most else f"{shown[: most - 3]}..."


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
