"""Frames of docs/link.md in Python, for benches: what a line must carry, and what lies on it."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from models.machine.link import ANSWERED, ESCAPE, ESCAPED, FLAG, REPLY, REQUEST, RESULT, LinkStatus

__all__ = ["Answer", "bodies", "framed", "request"]


class Answer(NamedTuple):
    """One answer, taken apart."""

    sequence: int
    operation: int
    session: int
    data: bytes
    expected: int
    status: LinkStatus

    @classmethod
    def of(cls, body: bytes) -> Answer:
        """From the body of a frame."""
        sequence, operation, session = REPLY.unpack(body[:REPLY.size])
        expected, status = RESULT.unpack(body[-RESULT.size:])
        assert operation & ANSWERED and len(body) >= REPLY.size + RESULT.size, body
        return cls(sequence, operation & ~ANSWERED, session, body[REPLY.size:-RESULT.size], expected,
                   LinkStatus(status))


def request(sequence: int, operation: int, session: int, address: int = 0, size: int = 0, data: bytes = b"") -> bytes:
    """The body of a request."""
    return REQUEST.pack(sequence, operation, session, address, size) + data


def escaped(data: bytes) -> bytes:
    """Without flags and with escapes for what must be escaped."""
    return b"".join(bytes([ESCAPE, byte ^ ESCAPED]) if byte in (FLAG, ESCAPE) else bytes([byte]) for byte in data)


def framed(body: bytes) -> bytes:
    """A flag, the body with its FCS, a flag."""
    flag = bytes([FLAG])
    return flag + escaped(body + zlib.crc32(body).to_bytes(4, "little")) + flag


def bodies(line: bytes) -> list[bytes | None]:
    """What lies between flags: the body of a good frame, None for one that is damaged. Lengths are not judged."""
    found: list[bytes | None] = []
    for part in line.split(bytes([FLAG]))[:-1]:
        plain, escape = bytearray(), False
        for byte in part:
            if byte == ESCAPE and not escape:
                escape = True
            else:
                plain.append(byte ^ ESCAPED if escape else byte)
                escape = False
        if part:
            body = bytes(plain[:-4])
            good = not escape and len(plain) >= 4 and zlib.crc32(body).to_bytes(4, "little") == plain[-4:]
            found.append(body if good else None)
    return found
