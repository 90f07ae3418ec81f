"""Frames of the serial line: bodies between flags, escaped, each with its FCS (docs/link.md)."""

from __future__ import annotations

import re
import zlib

from models.machine.link import ESCAPE, ESCAPED, FCS_BYTES, FLAG, MOST_FRAME, REPLY, RESULT

__all__ = ["FrameReader", "frame_of"]

_SPECIAL = re.compile(rb"[\x7d\x7e]")
_ESCAPED = re.compile(rb"\x7d(.)", re.DOTALL)
_LEAST = REPLY.size + RESULT.size


def frame_of(body: bytes) -> bytes:
    """The bytes on the line for a body, flags before and behind it included."""
    whole = body + zlib.crc32(body).to_bytes(FCS_BYTES, "little")
    escaped = _SPECIAL.sub(lambda found: bytes((ESCAPE, found[0][0] ^ ESCAPED)), whole)
    return b"%c%b%c" % (FLAG, escaped, FLAG)


class FrameReader:
    """Takes bytes as they come and gives the bodies of good answers. damaged: frames so far that were none; taken:
    bytes so far."""

    def __init__(self) -> None:
        self.damaged = self.taken = 0
        self._open = bytearray()  # since the last flag

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that end in `data`."""
        self.taken += len(data)
        *ends, rest = data.split(b"%c" % FLAG)
        bodies = []
        for end in ends:
            self._open += end
            if self._open:
                body = _body_of(bytes(self._open))
                if body is None:
                    self.damaged += 1
                else:
                    bodies.append(body)
            self._open.clear()
        self._open += rest
        if len(self._open) > 2 * (MOST_FRAME + FCS_BYTES):  # noise without a flag is not kept for ever
            del self._open[:-1]
        return bodies


def _body_of(escaped: bytes) -> bytes | None:
    """What lay between two flags; None where it is damaged."""
    whole = _ESCAPED.sub(lambda found: bytes((found[1][0] ^ ESCAPED,)), escaped)
    body, fcs = whole[:-FCS_BYTES], whole[-FCS_BYTES:]
    if not _LEAST <= len(body) <= MOST_FRAME or zlib.crc32(body).to_bytes(FCS_BYTES, "little") != fcs:
        return None
    return body
