"""Programs in a process of their own: answers, failures of every kind, limits, Ctrl-C, forks."""

import os
import signal
import threading
from pathlib import Path

import pytest

from models.containment import Contained, ContainedError, Limits

PROGRAM = """
import ctypes, os, sys, time

def start(setup):
    if setup == "fails":
        raise ValueError("no\\n  start")
    def answer(request):
        kind, value = request
        if kind == "say":
            return [setup, value]
        if kind == "process":
            return os.getpid()
        if kind == "print":
            print(value, flush=True)
            return "printed"
        if kind == "raise":
            raise KeyError(value)
        if kind == "exit":
            os._exit(value)
        if kind == "signal":
            os.kill(os.getpid(), value)
        if kind == "crash":
            ctypes.string_at(0)
        if kind == "fill":
            return len(bytearray(value))
        if kind == "long":
            return "x" * value
        while kind == "loop":
            pass
        time.sleep(60)
    return answer
"""
LIMITS = Limits(seconds=1, memory=256 << 20, answer=10_000)


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    with_setup = Contained(path, {"a": 1}, LIMITS)
    yield with_setup
    with_setup.close()


def test_answers(program):
    for value in ("é\n\ud83d", [1, None, {"b": 0.5}], "x" * 5000):
        assert program.ask(["say", value]) == [{"a": 1}, value]


def test_a_large_request_is_answered(program):
    assert len(program.ask(["say", ""])) == 2
    with pytest.raises(ContainedError, match="answers with more than 10,000 bytes"):
        program.ask(["say", "x" * 1_000_000])


def test_one_process_answers_all_requests(program):
    assert program.ask(["process", 0]) == program.ask(["process", 0]) != os.getpid()


@pytest.mark.parametrize("request_, message, kind", [
    (["raise", "this"], "^'this'$", "KeyError"),
    (["exit", 3], "^ends with status 3$", ""),
    (["crash", 0], r"^crashes \(SIGSEGV\)$", ""),
    (["signal", signal.SIGABRT], "^crashes, or takes more than 256 MiB of memory$", ""),
    (["loop", 0], "^takes more than 1 seconds$", ""),
    (["fill", 300 << 20], "^takes more than 256 MiB of memory$", "MemoryError"),
    (["long", 20_000], "^answers with more than 10,000 bytes$", ""),
])
def test_what_goes_wrong_is_said_and_the_next_request_answered(program, request_, message, kind):
    with pytest.raises(ContainedError, match=message) as error:
        program.ask(request_)
    assert error.value.kind == kind
    assert program.ask(["say", 1]) == [{"a": 1}, 1]


def test_a_start_that_fails_is_one_line(program, tmp_path):
    failing = Contained(tmp_path / "program.py", "fails", LIMITS)
    for act in (failing.start, lambda: failing.ask(["say", 1])):
        with pytest.raises(ContainedError, match="^no start$"):
            act()


def test_what_the_program_prints_is_no_answer(program):
    assert program.ask(["print", '{"answer": "forged"}']) == "printed"


def test_processor_time_counts_for_each_request(program):
    """Requests of a long life take more together than one may."""
    program.start()
    process, used = program._running.pid, 0.0
    while used < 1.5:
        program.ask(["fill", 100 << 20])
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
        used = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    assert program.ask(["process", 0]) == process


def test_nothing_of_the_folder_or_of_ours_is_imported(program, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    assert program.ask(["say", 1]) == [{"a": 1}, 1]


@pytest.mark.parametrize("handler", [signal.default_int_handler, lambda *_: None], ids=["Python's", "quiet"])
def test_ctrl_c_ends_the_request_at_once(program, handler):
    """Whatever a command's handler does; the next request is answered."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        first = program.ask(["process", 0])
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            program.ask(["sleep", 0])
        timer.join()
        assert signal.getsignal(signal.SIGINT) is handler
        assert program.ask(["process", 0]) != first
    finally:
        signal.signal(signal.SIGINT, before)


def test_threads_take_turns(program):
    found, failed = {}, []

    def ask(number):
        try:
            found[number] = [program.ask(["say", [number, i]])[1] for i in range(20)]
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and found == {number: [[number, i] for i in range(20)] for number in range(4)}


def test_a_forked_child_has_its_own(program):
    ours = program.ask(["process", 0])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            theirs = program.ask(["process", 0])
            program.close()
            os.write(writing, str(theirs).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = int(pipe.read())
    os.waitpid(child, 0)
    assert theirs != ours and program.ask(["process", 0]) == ours


def test_the_process_ends_with_its_owner(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    program = Contained(path, None, LIMITS)
    process = program.ask(["process", 0])
    del program
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
