"""Workers that run cases side by side, each watched: one that crashes or does not end is replaced."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from models.errors import BuildError
from scripts.verify.fuzz.outcome import LIMIT_SECONDS, Outcome

__all__ = ["Worker", "run_cases"]

_START_SECONDS = 120
_PATIENCE = 8
_POLL = 0.25
_CASES = 400  # that a worker runs before it is replaced, so that what a process gathers does not count
_ROOT = Path(__file__).resolve().parents[3]


class Worker:
    """A worker process and its folder. command: how to start it; it gets the folder as the last argument.

    seconds: processor time that a step may take; the clock may show _PATIENCE times as much. `case` is the folder with
    the files of the case that ran last.
    """

    def __init__(self, command: Sequence[str], folder: Path, seconds: float = LIMIT_SECONDS):
        self._command, self._folder, self._seconds = list(command), folder, seconds
        self._process: subprocess.Popen | None = None
        self._ran = self._number = 0

    @property
    def case(self) -> Path:
        return self._place / "case"

    @property
    def _place(self) -> Path:
        return self._folder / str(self._number)

    def run(self, case: int) -> Outcome:
        """One case."""
        if self._process is None or self._ran >= _CASES:
            self._start()
        self._ran += 1
        started = _processor_seconds(self._process.pid)
        with suppress(BrokenPipeError):
            self._process.stdin.write(b"%d\n" % case)
        while (line := self._line(self._seconds)) == b"step\n":
            pass
        seconds = _processor_seconds(self._process.pid) - started
        if line is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGUSR1)  # it says where it is
            time.sleep(0.3)
            self.close()
            return Outcome("hang", self._said(), seconds=seconds)
        if not line:
            status = self._process.wait()
            self.close()
            name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            return Outcome("crash", f"{name}\n{self._said()}", seconds=seconds)
        return Outcome(**json.loads(line))

    def close(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None

    def _start(self) -> None:
        self.close()
        self._ran, self._number = 0, self._number + 1
        self._place.mkdir(parents=True)
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
        self._process = subprocess.Popen([*self._command, str(self._place)], cwd=_ROOT, env=os.environ | one,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                                         bufsize=0)  # unbuffered: what is read is what `select` sees
        if self._line(_START_SECONDS) != b"ready\n":
            self.close()
            raise BuildError(f"a worker does not start: {self._said()[-800:]}")

    def _line(self, seconds: float) -> bytes | None:
        """The next line; empty where the process ended, None where nothing comes in time."""
        began, clock = _processor_seconds(self._process.pid), time.monotonic() + _PATIENCE * seconds
        while True:
            if select.select([self._process.stdout], [], [], _POLL)[0]:
                return self._process.stdout.readline()
            if time.monotonic() > clock or _processor_seconds(self._process.pid) - began > seconds:
                return None

    def _said(self) -> str:
        with suppress(OSError):
            return (self._place / "stderr").read_text(errors="replace")[-4000:]
        return ""


def _processor_seconds(group: int) -> float:
    """What the processes of a group have taken, those that have ended among them."""
    ticks = 0
    for number in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # a process that has ended
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def run_cases(make_worker: Callable[[int], Worker], cases: Iterable[int], jobs: int,
              seconds: float | None) -> Iterator[tuple[int, Outcome, Path]]:
    """(case, outcome, folder of its files) as they come, from `jobs` workers; the folder lasts until the next is asked.

    seconds: no more cases are begun after them.
    """
    numbers, lock, deadline = iter(cases), threading.Lock(), None if seconds is None else time.monotonic() + seconds
    done: SimpleQueue = SimpleQueue()
    stop = threading.Event()

    def work(index: int) -> None:
        worker = make_worker(index)
        try:
            while not stop.is_set() and (deadline is None or time.monotonic() < deadline):
                with lock:
                    case = next(numbers, None)
                if case is None:
                    break
                seen = threading.Event()
                done.put((case, worker.run(case), worker.case, seen))
                while not seen.wait(0.2) and not stop.is_set():
                    pass
        except BaseException as error:
            done.put(error)
        finally:
            worker.close()
            done.put(None)

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(jobs)]
    for thread in threads:
        thread.start()
    left, pending = jobs, None
    try:
        while left:
            item = done.get()
            if item is None:
                left -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                case, outcome, folder, pending = item
                yield case, outcome, folder
                pending.set()
    finally:
        stop.set()
        if pending:
            pending.set()
        for thread in threads:
            thread.join(timeout=2 * LIMIT_SECONDS)
