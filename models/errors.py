"""What a user's mistake raises: one family, whose messages are one clear line."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ArtefactError", "BuildError", "DeviceError", "ModelError", "OptionError", "TritloomError", "located",
           "printable"]

_LONGEST = 2000  # characters of a message


def printable(text: str, keep: str = "") -> str:
    """`text` with everything escaped that a terminal would act on, but for the characters of `keep`."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


class TritloomError(Exception):
    """Something that the user gave, or that the machine lacks. The message is one clear line for the user.

    Commands print it on standard error and exit with status 2. Names out of damaged files are in it, so what is not
    printable is escaped, and a very long message is cut.
    """

    def __init__(self, message: str):
        super().__init__(printable(message[:_LONGEST]) + "…" * (len(message) > _LONGEST))


class ModelError(TritloomError):
    """A model, its files or its text that cannot be used."""


class OptionError(TritloomError):
    """A value that the caller chose and that makes no sense: a count, a prompt, a name, a file to read or write."""


class ArtefactError(TritloomError):
    """A fitted artefact of the pipeline that is damaged, or for another model."""


class BuildError(TritloomError):
    """A build of the accelerator that cannot be made, cannot hold the model, or a tool that is missing or failed."""


class DeviceError(TritloomError):
    """A device that is not there, is not what was asked for, or stopped."""


@contextmanager
def located(place: object) -> Iterator[None]:
    """Puts `place` (a file, a tensor) in front of the message of a `TritloomError` raised inside."""
    try:
        yield
    except TritloomError as error:
        raise type(error)(f"{place}: {error}") from None
