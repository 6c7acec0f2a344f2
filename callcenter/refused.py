"""The rules say no: one sentence fit for the screen, and what to do instead."""


class Refused(Exception):
    """A wish that the rules do not allow.

    ``str(error)`` says what was refused and what to do; ``code`` is a stable
    name that an interface translates by.
    """

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


def unknown(kind: str) -> Refused:
    """Nobody knows a thing by that id."""
    return Refused(f"there is no such {kind}; reload the screen", code="unknown")
