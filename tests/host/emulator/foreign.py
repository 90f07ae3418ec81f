"""The emulator's library compiled for AArch64 and run under qemu: the paths that this processor lacks.

Each call of the library becomes a process: machine, operations and every array that they point to go through a file.
"""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from host.emulator import library
from host.emulator.native_machine import NativeMachine
from host.emulator.native_operation import NativeOperation
from host.emulator.native_state import MachineState

__all__ = ["FOREIGN_PATHS", "NATIVE", "can_run_foreign", "foreign_paths", "move_to_foreign"]

_COMPILER, _SIMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
FOREIGN_PATHS = ("neon-dot", "neon")
NATIVE = Path(library.__file__).parent / "native"
"""Sources of the library."""


def can_run_foreign() -> bool:
    """Whether this machine has compiler and simulator."""
    return bool(shutil.which(_COMPILER) and shutil.which(_SIMULATOR))


@cache
def foreign_paths(processor: str = "max") -> list[str]:
    """Names of the library's paths in their order, empty where `processor`, a model of qemu's, lacks one."""
    command = [_SIMULATOR, "-cpu", processor, _executable()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def move_to_foreign(machine: NativeMachine, path: str) -> None:
    """Let all further programs of a machine run by a path of the foreign library."""
    machine._library, machine._path = _ForeignLibrary(machine), foreign_paths().index(path)


@cache
def _executable() -> Path:
    """The library with `replay.c`; its folder lasts as long as this process."""
    folder = tempfile.TemporaryDirectory()
    _executable.folder = folder
    target = Path(folder.name) / "replay"
    sources = [*sorted(NATIVE.glob("*.c")), Path(__file__).with_name("replay.c")]
    subprocess.run([_COMPILER, "-O1", "-std=gnu11", "-static", "-fopenmp", f"-I{NATIVE}", "-o", target, *sources,
                    "-lm"], check=True, capture_output=True)
    return target


class _ForeignLibrary:
    def __init__(self, machine: NativeMachine):
        self._machine = machine

    def tritloom_run(self, state: MachineState, first: ctypes._Pointer, count: int, path: int, threads: int) -> int:
        operations = (NativeOperation * count).from_address(ctypes.addressof(first.contents))
        arrays = self._arrays(operations)
        offsets = [_pointers(MachineState), _pointers(NativeOperation)]
        sizes = [ctypes.sizeof(MachineState), ctypes.sizeof(NativeOperation)]
        header = [*sizes, len(arrays), *map(len, offsets), count, path, threads]
        for array in arrays:
            header += [array.ctypes.data, array.nbytes]
        words = np.array([*header, *offsets[0], *offsets[1]], np.int64)
        with tempfile.TemporaryDirectory() as folder:
            call, answer = Path(folder) / "call", Path(folder) / "answer"
            with call.open("wb") as file:
                for part in (words, state, operations, *arrays):
                    file.write(part)
            subprocess.run([_SIMULATOR, _executable(), call, answer], check=True)
            data = answer.read_bytes()
        ctypes.memmove(ctypes.byref(state), data[8:8 + sizes[0]], sizes[0])
        start = 8 + sizes[0]
        for array in arrays:
            if array.flags.writeable:
                array.view(np.uint8).reshape(-1)[:] = np.frombuffer(data, np.uint8, array.nbytes, start)
            start += array.nbytes
        return int.from_bytes(data[:8], "little")

    def _arrays(self, operations: ctypes.Array) -> list[np.ndarray]:
        """Everything that pointers point into."""
        machine = self._machine
        arrays = [machine.image.memory, *machine._tables, np.ctypeslib.as_array(machine._constants).view(np.uint8),
                  *machine._buffers._kept.values()]
        for o in operations:
            if o.weights:
                arrays.append(np.ctypeslib.as_array(o.weights, (o.outputs * o.width,)))
                arrays[-1].flags.writeable = False
        for columns in machine._streams._columns.values():
            arrays += [columns.packed.reshape(-1), columns.filled]
        for part in itertools.chain.from_iterable(machine._streams._heads.values()):
            arrays.append(part.view())
            arrays[-1].flags.writeable = False
        return arrays


def _pointers(structure: type[ctypes.Structure]) -> list[int]:
    return [getattr(structure, name).offset for name, kind in structure._fields_ if issubclass(kind, ctypes._Pointer)]
