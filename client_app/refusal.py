"""Why a message is not worked on, or a reply does not leave. The reason stays at the site."""

from typing import Literal

Outcome = Literal["sent", "repeated", "held-back", "failed", "not-approved", "refused"]
"""What became of a message: answered, answered as before, an answer that may not leave, no answer, a run or an
application that the site has not approved, a message that the site does not answer."""


class RefusedError(Exception):
    """The server gets an error without content; the sentence is for the site's operator."""

    def __init__(self, reason: str, outcome: Outcome = "refused") -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome
