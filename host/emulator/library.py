"""The compiled kernels: where they are, what they offer on this processor.

`native/` is built with the package where there is a C compiler; without it the emulator runs in NumPy.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_int, c_int64
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from host.emulator.native_operation import NativeOperation
from host.emulator.native_state import MachineState
from models.errors import DeviceError

__all__ = ["KERNELS", "NUMPY", "THREADS", "chosen_kernels", "default_threads", "library", "native_paths"]

NUMPY = "numpy"
KERNELS = ("auto", "avx512", "avx2", "neon-dot", "neon", "portable", NUMPY)
"""Names of kernels; auto is the fastest that this processor has."""

THREADS = 256
"""The most threads of a run. They meet after every operation, so more than there are processors only wait."""


@cache
def library() -> ctypes.CDLL | None:
    """The shared library, or None where it was not built or does not load."""
    folder = Path(__file__).parent
    for suffix in EXTENSION_SUFFIXES:
        path = folder / f"_native{suffix}"
        if path.exists():
            try:
                found = ctypes.CDLL(str(path))
            except OSError:
                return None
            found.tritloom_path.restype = ctypes.c_char_p
            found.tritloom_path.argtypes = [c_int]
            found.tritloom_sizes.argtypes = [POINTER(c_int64)]
            found.tritloom_run.argtypes = [POINTER(MachineState), POINTER(NativeOperation), c_int64, c_int, c_int]
            return found
    return None


@cache
def native_paths() -> dict[str, int]:
    """Compiled paths that this processor can run, fastest first, with their index in the library."""
    found = library()
    if found is None:
        return {}
    names = {index: found.tritloom_path(index) for index in range(found.tritloom_paths())}
    return {name.decode(): index for index, name in names.items() if name}


def chosen_kernels(name: str = "auto") -> str:
    """The path that `name` stands for; `DeviceError` where it is unknown or cannot run here."""
    if name not in KERNELS:
        raise DeviceError(f"unknown kernels {name!r}; known: {', '.join(KERNELS)}")
    if name == "auto":
        return next(iter(native_paths()), NUMPY)
    if name != NUMPY and name not in native_paths():
        why = "this processor lacks them" if native_paths() else "they were not compiled with this installation"
        raise DeviceError(f"kernels {name} cannot run: {why}; here: {', '.join([*native_paths(), NUMPY])}")
    return name


def default_threads() -> int:
    """Processors that this process may use, as far as a run can have so many threads."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, THREADS)
