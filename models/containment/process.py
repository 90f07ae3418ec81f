"""A program in a process of its own, so that what a stranger's file makes it do stays there.

Native libraries that abort, endless loops and gigabytes end that process, not ours. It is started when it is first
needed and again after it was ended; between requests it waits. It ends with ours.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Contained", "ContainedError", "Limits"]

_WAIT = 10  # a process may wait that many times its processor time: for other processes
_PIECE = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Limits:
    """Of one request: processor seconds, bytes of an answer's JSON; of the whole process: bytes of memory."""

    seconds: int
    memory: int
    answer: int


class ContainedError(Exception):
    """A request that was not answered. The message says why, in words that follow the program's name.

    kind: name of the exception that the program raised; "" where a limit or a crash ended it.
    """

    def __init__(self, message: str, kind: str = ""):
        super().__init__(message)
        self.kind = kind


class Contained:
    """program: a Python file with a function `start(setup)`, which returns the function that answers requests.

    It imports the standard library and installed packages, nothing of ours. Setup, requests and answers are what JSON
    can hold. May be used from several threads, one request at a time, and after a fork, when it starts anew.
    """

    def __init__(self, program: Path, setup: object, limits: Limits):
        self._program, self._setup, self._limits = program, setup, limits
        self._running: subprocess.Popen | None = None
        self._owner, self._lock = os.getpid(), threading.RLock()

    def start(self) -> None:
        """Start the program, unless it runs. `ContainedError` where its start fails."""
        with self._ours():
            if self._running is None or self._running.poll() is not None:
                self.close()
                self._running = _spawn()
                self._end = weakref.finalize(self, _end, self._running, self._owner)
                try:
                    self._exchange({"path": sys.path, "program": str(self._program), "setup": self._setup,
                                    "memory": self._limits.memory, "seconds": self._limits.seconds})
                except ContainedError:
                    self.close()
                    raise

    def ask(self, request: object) -> Any:
        """The program's answer; `ContainedError` where it raises, crashes or goes beyond a limit.

        Ctrl-C ends the program and raises KeyboardInterrupt, whatever handler is set; that is called before.
        """
        with self._ours():
            self.start()
            return self._exchange(request)

    def close(self) -> None:
        """End the program."""
        with self._ours():
            if self._running is not None:
                self._running = None
                self._end()

    @contextmanager
    def _ours(self) -> Iterator[None]:
        if self._owner != os.getpid():  # a fork: the program is the parent's
            if self._running is not None:
                self._end.detach()
                self._running.returncode = 0  # not ours to wait for
            self._running, self._owner, self._lock = None, os.getpid(), threading.RLock()
        with self._lock:
            yield

    def _exchange(self, message: object) -> Any:
        try:
            with _interrupting(self._running):
                reply = self._reply(json.dumps(message).encode() + b"\n")
        except BaseException:  # what it still had to say would be taken for the next answer
            self.close()
            raise
        if "error" in reply:
            if reply["error"] == "MemoryError":
                raise ContainedError(self._too_much_memory(), reply["error"])
            raise ContainedError(" ".join(reply["text"].split()) or reply["error"], reply["error"])
        return reply["answer"]

    def _reply(self, line: bytes) -> dict:
        process, deadline = self._running, time.monotonic() + _WAIT * self._limits.seconds
        with suppress(BrokenPipeError):  # it has ended: the reason follows
            while line:
                line = line[os.write(process.stdin.fileno(), line):]
        found, poll = bytearray(), select.poll()
        poll.register(process.stdout, select.POLLIN)
        while not found.endswith(b"\n"):
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ContainedError(f"takes more than {_WAIT * self._limits.seconds} seconds")
            piece = os.read(process.stdout.fileno(), _PIECE)
            found += piece
            if not piece:
                raise ContainedError(self._ended(process.wait()))
            if len(found) > self._limits.answer:
                raise ContainedError(f"answers with more than {self._limits.answer:,} bytes")
        return json.loads(found)

    def _ended(self, status: int) -> str:
        if status == -signal.SIGXCPU:
            return f"takes more than {self._limits.seconds} seconds"
        if status in (-signal.SIGABRT, -signal.SIGKILL):  # a library's and the system's ways to say so
            return f"crashes, or {self._too_much_memory()}"
        return f"crashes ({signal.Signals(-status).name})" if status < 0 else f"ends with status {status}"

    def _too_much_memory(self) -> str:
        return f"takes more than {self._limits.memory >> 20} MiB of memory"


def _spawn() -> subprocess.Popen:
    child = Path(__file__).with_name("child.py")
    try:
        return subprocess.Popen([sys.executable, "-I", "-S", str(child)], bufsize=0, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise ContainedError(f"cannot be started: {error}") from None


def _end(process: subprocess.Popen, owner: int) -> None:
    if owner != os.getpid():
        return
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


@contextmanager
def _interrupting(process: subprocess.Popen) -> Iterator[None]:
    """Within, Ctrl-C ends `process`, besides what it does otherwise, and becomes KeyboardInterrupt at the end."""
    before, pressed = signal.getsignal(signal.SIGINT), False
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def interrupt(*arguments: object) -> None:
        nonlocal pressed
        pressed = True
        process.kill()
        before(*arguments)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except ContainedError:
        if not pressed:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
