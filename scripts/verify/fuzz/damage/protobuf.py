"""Protobuf messages put together from fields, and damaged: other wire types, lengths and numbers."""

from __future__ import annotations

import struct
from random import Random

from scripts.verify.fuzz.damage.raw import NUMBERS, TEXTS, damage_bytes

__all__ = ["Field", "Message", "damage_message", "message_bytes", "varint"]

Message = list["Field"]
Field = tuple[int, "int | float | bytes | Message"]
"""Number and value: an integer is a varint, a float has 32 bits, bytes and messages have a length."""

_LONG = 200_000


def varint(number: int) -> bytes:
    """A number in groups of seven bits; a negative one in ten bytes."""
    number %= 2**64
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def message_bytes(message: Message) -> bytes:
    """A message as it is stored."""
    return b"".join(_field(number, value) for number, value in message)


def _field(number: int, value: int | float | bytes | Message) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = message_bytes(value) if isinstance(value, list) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def damage_message(message: Message, rng: Random) -> bytes:
    """One variant of a message."""
    if rng.random() < 0.2:
        return damage_bytes(message_bytes(message), rng)
    return message_bytes(_changed(message, rng))


def _changed(message: Message, rng: Random) -> Message:
    changed = list(message)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not changed:
            return changed
        # the fields that are there once, such as the settings at the end, are hit as often as the many
        counts = {number: [i for i, field in enumerate(changed) if field[0] == number] for number, _ in changed}
        at = rng.choice(rng.choice([*counts.values()]))
        number, value = changed[at]
        if isinstance(value, list) and rng.random() < 0.6:
            changed[at] = number, _changed(value, rng)
            continue
        match rng.randrange(8):
            case 0:
                del changed[at]
            case 1:
                changed[at:at] = [changed[at]] * rng.choice((1, 2, 100))
            case 2:
                changed[at] = rng.choice((0, number + 1, rng.randrange(64), 2**29 - 1)), value
            case 3 | 4:
                changed[at] = number, _strange(rng)
            case 5:
                changed[at] = number, _near(value, rng)
            case 6:
                changed[at] = number, _raw(rng, value)
            case 7:
                other = rng.randrange(len(changed))
                changed[at], changed[other] = changed[other], changed[at]
    return changed


def _strange(rng: Random) -> int | float | bytes:
    return rng.choice((rng.choice(NUMBERS), rng.choice(TEXTS).encode(errors="surrogatepass"), rng.randbytes(9),
                       rng.choice((0.0, float("nan"), float("inf"), float("-inf"), 3e38, 1e-45)), b"a" * _LONG))


def _near(value: int | float | bytes | Message, rng: Random) -> int | float | bytes | Message:
    match value:
        case float():
            return rng.choice((-value, value * 1e30, float("nan"), float("inf"), 0.0))
        case int():
            return rng.choice((value + 1, value - 1, -value, value + 2**32, *NUMBERS))
        case bytes():
            return rng.choice((value * 2, value[:-1], b"", value + b"\xff", value * 1000, damage_bytes(value, rng)))
    return [*value, *value]


def _raw(rng: Random, value: int | float | bytes | Message) -> bytes:
    """Bytes in a field that should not be read as what they are: overlong numbers, lengths that lie, groups."""
    data = message_bytes(value) if isinstance(value, list) else b"x"
    return rng.choice((b"\xff" * 11, b"\x80" * 1000, b"\x0b\x0c" * 100, b"\x0a\xff\xff\xff\xff\x0f" + data,
                       b"\x0a" + varint(2**63) + data, data[:-1], b"\x0f\x01"))
