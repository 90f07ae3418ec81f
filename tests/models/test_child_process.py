"""Children: their answer, and that none of them outlives an interruption."""

import os
import signal
import subprocess
import threading
import time

import pytest

from models.child_process import run_child


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition):
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_child_is_given_text_and_answers():
    done = run_child(["sh", "-c", "cat; echo no >&2; exit 3"], input="é\n", text=True, encoding="utf-8",
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (3, "é\n", "no\n")
    with pytest.raises(FileNotFoundError):
        run_child(["/nonexistent/tool"])


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks for processes in /proc")
def test_an_interruption_ends_the_child_and_what_it_started(tmp_path):
    """The child is deaf to Ctrl-C, and so is its own child."""
    note = tmp_path / "pids"
    script = f"trap '' INT TERM; sleep 600 & echo $$ $! > '{note}.part'; mv '{note}.part' '{note}'; wait"
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=lambda: wait_for(note.exists) and os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_child(["sh", "-c", script])
    finally:
        signal.signal(signal.SIGINT, handler)
    pids = note.read_text().split()
    assert len(pids) == 2 and wait_for(lambda: not any(map(lives, pids)))


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks for processes in /proc")
def test_a_child_has_a_session_of_its_own():
    """So that a terminal's Ctrl-C does not reach it."""
    done = run_child(["cat", "/proc/self/stat"], stdout=subprocess.PIPE, text=True)
    session = int(done.stdout.rpartition(")")[2].split()[3])
    assert session != os.getsid(0)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks for processes in /proc")
def test_a_watch_sees_the_child_at_work_and_may_end_it(tmp_path):
    note, seen = tmp_path / "pid", []

    def watch():
        seen.append(note.exists())
        if seen[-1]:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        run_child(["sh", "-c", f"echo $$ > '{note}.part'; mv '{note}.part' '{note}'; sleep 600"], watch=watch,
                  every=0.05)
    assert wait_for(lambda: not lives(note.read_text().strip()))
    done = run_child(["sh", "-c", "sleep 0.3; cat"], input="x", text=True, stdout=subprocess.PIPE, watch=seen.clear,
                     every=0.05)
    assert done.stdout == "x" and not seen
