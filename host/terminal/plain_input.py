"""What a user enters, line by line: at a terminal, with the line editing that Python has, or from a file or pipe.

Files and pipes are read as `models.text_file` reads them: UTF-8 whatever the locale, a byte order mark at the start is
no text, only line feeds end lines, and a carriage return before one belongs to the end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from host.terminal.blocks import is_open, unfenced
from models.errors import OptionError
from models.text_file import LARGEST_TEXT

__all__ = ["at_terminal", "confirmed", "user_lines"]


def at_terminal() -> bool:
    """Whether somebody types."""
    return sys.stdin.isatty()


def user_lines() -> Iterator[str]:
    """Lines of standard input until it ends; those that end in a backslash are joined with the next, and at a terminal
    those of a block (`host.terminal.blocks`).

    `OptionError` for a file or pipe that is no UTF-8. Ctrl-C is `KeyboardInterrupt`.
    """
    typed, joined = at_terminal(), ""
    read = _typed if typed else _piped
    (_edit_lines if typed else _as_files)()
    while (line := read("… " if joined else "> ")) is not None:
        line = line.removesuffix("\r")
        if typed and is_open(joined + line):
            joined += line + "\n"
        elif line.endswith("\\"):
            joined += line[:-1] + "\n"
        else:
            yield unfenced(joined + line) if typed else joined + line
            joined = ""
    if joined and not at_terminal():
        yield joined.removesuffix("\n")


def confirmed(question: str) -> bool:
    """Whether the user, at a terminal, answers yes."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt, UnicodeDecodeError):
        print()
        return False


def _typed(prompt: str) -> str | None:
    while True:
        try:
            return input(prompt)
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            print()
            raise
        except UnicodeDecodeError:
            print("error: the line is not in the terminal's encoding", file=sys.stderr)


def _piped(_: str) -> str | None:
    try:
        line = sys.stdin.readline(LARGEST_TEXT + 1)
    except UnicodeDecodeError as error:
        raise OptionError(f"standard input is not UTF-8: {error.reason}") from None
    if "\0" in line:
        raise OptionError("standard input is not UTF-8: it holds zero bytes, as UTF-16 does")
    if len(line) > LARGEST_TEXT:
        raise OptionError(f"standard input has a line of more than {LARGEST_TEXT:,} characters")
    return line.removesuffix("\n") if line else None


def _edit_lines() -> None:
    """Line editing and history for `input`, where Python has them."""
    try:
        import readline  # noqa: F401  its import is its effect
    except ImportError:
        pass


def _as_files() -> None:
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict", newline="\n")
