"""Runs in forked processes: none waits for threads that the fork took, and the bits are those of the parent."""

import os
import signal
import subprocess
import sys

import pytest

from host.emulator.library import native_paths

PROGRAM = """
import multiprocessing, os, signal, sys
import numpy as np
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.checkpoint import load_model
from models.machine.build import CPU

def scored(threads):
    return Session(load_model("demo"), EmulatorDevice(CPU, threads=threads)).score([1, 2, 3, 4])

def again(_):
    session.reset()
    return session.score([1, 2, 3, 4])

parent, child = int(sys.argv[1]), int(sys.argv[2])
expected = scored(parent)
signal.alarm(45)
if sys.argv[3] == "fork":
    process = os.fork()
    if not process:
        signal.alarm(45)  # alarms do not survive a fork
        os._exit(0 if (scored(child) == expected).all() else 3)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert not status, status
    assert (scored(2) == expected).all()  # the parent's threads are as they were
else:
    session = Session(load_model("demo"), EmulatorDevice(CPU, threads=parent))
    again(0)
    with multiprocessing.get_context("fork").Pool(2, signal.alarm, (45,)) as pool:
        assert all((found == expected).all() for found in pool.map(again, range(4)))
        assert all((found == expected).all() for found in pool.map(scored, [child] * 4))
"""

pytestmark = pytest.mark.skipif(not native_paths() or not hasattr(os, "fork"), reason="needs compiled kernels and fork")


@pytest.mark.parametrize(("parent", "child"), [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("how", ["fork", "pool"])
def test_a_child_runs(parent, child, how):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(parent), str(child), how], capture_output=True, text=True)
    assert done.returncode != -signal.SIGALRM, "the child waits for threads that are not there"
    assert done.returncode == 0, done.stderr
