"""Bitstreams as Vivado writes them, of little configuration."""

from __future__ import annotations

__all__ = ["bit_file"]

DATA = bytes.fromhex("ffffffff000000bb11220044ffffffffffffffffaa995566") + bytes(range(1, 41))


def bit_file(data: bytes = DATA) -> bytes:
    """The header's fields, then the data."""
    def named(letter: str, text: str) -> bytes:
        content = text.encode() + b"\0"
        return letter.encode() + len(content).to_bytes(2, "big") + content

    fields = (named("a", "tritloom_system_wrapper;UserID=0XFFFFFFFF;Version=2024.1"), named("b", "xck26-sfvc784-2LV-c"),
              named("c", "2026/11/30"), named("d", "14:00:00"))
    return (bytes.fromhex("00090ff00ff00ff00ff0000001") + b"".join(fields)
            + b"e" + len(data).to_bytes(4, "big") + data)
