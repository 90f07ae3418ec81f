"""The one exception that bad user input raises."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ModelError", "located"]

_LONGEST = 2000  # characters of a message


class ModelError(Exception):
    """Bad input: a model, a prompt or a name that cannot be used. The message is one clear line for the user.

    Command lines print it on standard error and exit with status 2. Names out of damaged files are in it, so what is
    not printable is escaped, and a very long message is cut.
    """

    def __init__(self, message: str):
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message[:_LONGEST])
        super().__init__(line + "…" * (len(message) > _LONGEST))


@contextmanager
def located(place: object) -> Iterator[None]:
    """Puts `place` (a file, a tensor) in front of the message of a `ModelError` raised inside."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from None
