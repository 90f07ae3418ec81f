"""A user's text files: UTF-8, whatever system wrote them.

A byte order mark at the start is no text. A carriage return before a line feed belongs to the line's end; nothing but
a line feed ends a line, so form feeds, Unicode's separators and a carriage return by itself are text.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from models.errors import OptionError

__all__ = ["LARGEST_TEXT", "decode_text", "is_piped", "lines_of", "read_standard_input", "read_text_file"]

LARGEST_TEXT = 1 << 28
"""Bytes of a text: hundreds of books, and an end for a device that has none."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # that of UTF-32 LE begins with the first
_UTF32 = codecs.BOM_UTF32_BE


def read_text_file(path: str | Path) -> str:
    """The whole text, lines ended by line feeds alone; `OptionError` where it cannot be read or is no UTF-8."""
    return decode_text(_bytes_of(path), path).replace("\r\n", "\n")


def read_standard_input() -> str:
    """All of it, as `decode_text` gives a file's; nothing where it is closed."""
    stream = sys.stdin
    return decode_text(_bounded(stream.buffer, "standard input"), "standard input") if stream is not None else ""


def is_piped() -> bool:
    """Whether standard input is a pipe or a file, from which somebody may mean a text to be read."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def lines_of(text: str) -> list[str]:
    """Lines of a decoded text, without their ends."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def decode_text(data: bytes, where: object) -> str:
    """Text of UTF-8 bytes, their line ends as they are; `OptionError`, which names `where`, for anything else."""
    halves = (data[:4096:2], data[1:4096:2])
    if data.startswith((*_UTF16, _UTF32)) or any(2 * half.count(0) > len(half) for half in halves):
        raise OptionError(f"cannot read {where}: it is UTF-16 or no text at all; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionError(f"cannot read {where}: it is not UTF-8: byte {error.start} is {data[error.start]:#04x}"
                          ) from None


def _bytes_of(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return _bounded(file, path)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise OptionError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _bounded(file: BinaryIO, where: object) -> bytes:
    data = file.read(LARGEST_TEXT + 1)
    if len(data) > LARGEST_TEXT:
        raise OptionError(f"cannot read {where}: it has more than {LARGEST_TEXT:,} bytes")
    return data
