"""The one exception that bad user input raises."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ModelError", "located"]


class ModelError(Exception):
    """Bad input: a model, a prompt or a name that cannot be used. The message is one clear line for the user.

    Command lines print it on standard error and exit with status 2.
    """


@contextmanager
def located(place: object) -> Iterator[None]:
    """Puts `place` (a file, a tensor) in front of the message of a `ModelError` raised inside."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from None
