"""A command with a fault that its option names, to be run in a worker; everything in it is wrong but `fine` and
`refused`."""

import os
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from models.errors import OptionError

_KEPT = []


def main(arguments):
    globals()[arguments[0].replace("-", "_")]()


def fine():
    print("all is well")
    print("a note", file=sys.stderr)


def refused():
    raise OptionError("what was asked for is not there")


def traceback():
    raise KeyError("a traceback")


def panic():
    class PanicError(BaseException):
        pass
    raise PanicError("a library's panic")


def status():
    raise SystemExit(7)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def hang():
    while True:
        pass


def wait():
    signal.pause()


def memory():
    data = bytearray(700 << 20)
    data[::4096] = b"x" * len(data[::4096])


def address_space():
    bytearray(1 << 40)


def partial():
    Path("out").mkdir()
    (Path("out") / "half").write_text("half a model")
    raise OptionError("what was asked for is not there")


def temporary():
    tempfile.mkdtemp()


def removed():
    Path("input").unlink()


def process():
    _KEPT.append(subprocess.Popen(["sleep", "60"]))


def several_lines():
    print("error: the first of two lines", file=sys.stderr)
    raise OptionError("what was asked for is not there")


def printed_traceback():
    print("Traceback (most recent call last):", file=sys.stderr)


def warning():
    warnings.warn("something is odd", RuntimeWarning, stacklevel=1)


def escapes():
    print("\x1b[2J", file=sys.stderr)


def library():
    os.write(2, b"thread 'main' panicked at src/lib.rs\n")
