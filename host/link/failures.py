"""What a link cannot heal, by name: one line each."""

from __future__ import annotations

from models.errors import DeviceError

__all__ = ["BoardResetError", "LinkError", "NoAnswerError", "PortError", "RefusedError"]


class LinkError(DeviceError):
    """Something that repeating does not mend."""


class PortError(LinkError):
    """There is no port, it cannot be opened, or it is gone."""


class NoAnswerError(LinkError):
    """The board does not answer, however often it is asked."""


class BoardResetError(LinkError):
    """The board knows nothing of this session: it was reset, or another program has used it since."""


class RefusedError(LinkError):
    """The board understood a request and does not execute it."""
