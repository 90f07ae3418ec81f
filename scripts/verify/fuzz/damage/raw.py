"""Damage that knows nothing of a format, and the strange texts and numbers that the other kinds of damage use."""

from __future__ import annotations

from random import Random

__all__ = ["NUMBERS", "TEXTS", "damage_bytes", "damage_text"]

NUMBERS = (0, 1, -1, 2, 3, 7, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**62, 2**63 - 1,
           2**63, 2**64 - 1, -2**31, -2**63, 10**8, 10**12)
"""Integers at which something may overflow, or be out of proportion."""

TEXTS = ("", " ", "x", "\x00", "a\x00b", "\x1b[2J\x1b]0;x\x07", "two\nlines\r\n", "‮", "﻿a", "\U0010ffff",
         "é", "ﬃ", "𝔘𝔫𝔦", "👩‍👩‍👧", "اَلْعَرَبِيَّةُ", "\x85\u2028\u2029", "%s%n%d", "{0}{x!r}", "../../x", "/dev/null", "nul",
         "\ud800", "<|im_end|>", "▁", "▁▁", "Ġ", "a" * 300, "ab" * 40_000, "́" * 1000)
"""Strings that are read wrongly in one way or another; one is half a surrogate pair, which UTF-8 cannot hold."""

_COUNTS = [number % 2**64 for number in NUMBERS]


def damage_bytes(data: bytes, rng: Random, header: int = 0) -> bytes:
    """One variant of a binary file. header: its first bytes, which matter most and are hit most; 0: all alike."""
    if not data:
        return rng.randbytes(rng.randrange(16))
    changed = bytearray(data)
    end = min(header, len(changed)) if header and rng.random() < 0.7 else len(changed)
    at = rng.randrange(end)
    length = rng.randint(1, 64)
    match rng.randrange(9):
        case 0:
            del changed[at:]
        case 1:
            for _ in range(rng.randint(1, 8)):
                changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
        case 2:
            changed[at] = rng.randrange(256)
        case 3:
            changed[at:at + length] = bytes(len(changed[at:at + length]))
        case 4:
            changed[at:at + 8] = rng.choice(_COUNTS).to_bytes(8, "little")
        case 5:
            other = rng.randrange(len(changed))
            changed[at:at + length] = changed[other:other + length]
        case 6:
            del changed[at:at + length]
        case 7:
            changed[at:at] = rng.randbytes(length)
        case 8:
            changed[at:at + length] = b"\xff" * len(changed[at:at + length])
    return bytes(changed)


def damage_text(text: str, rng: Random) -> str:
    """One variant of a text, in characters: cut, doubled, strange ones put in, or another text."""
    at = rng.randint(0, len(text))
    other = rng.randint(at, len(text))
    match rng.randrange(7):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + text[other:]
        case 2:
            return text[:other] + text[at:]
        case 3:
            return text[:at] + rng.choice(TEXTS) + text[at:]
        case 4:
            return rng.choice(TEXTS)
        case 5:
            return text[:at] + chr(rng.choice((rng.randrange(128), rng.randrange(0xd800)))) + text[at + 1:]
        case _:
            return text + text[at:other] * rng.choice((1, 10, 1000))
