"""A pytest plug-in that inverts the lowest bit of a function's first result, `TRITLOOM_FAULT=module:function`, or takes
the emulator's compiled library and its sources from a folder, `TRITLOOM_FAULT=native:folder`.

It runs before test modules are imported, so they take the faulty function. Where an assertion fails, it says so in the
file that `TRITLOOM_FAULT_SEEN` names: any other error, a crash or a limit of time may come from elsewhere.
"""

from __future__ import annotations

import functools
import importlib
import os
from pathlib import Path

import numpy as np
import pytest

from sim.fault import FAULT_VARIABLE

__all__ = ["SEEN_VARIABLE", "by_assertion", "invert_first_bit"]

SEEN_VARIABLE = "TRITLOOM_FAULT_SEEN"


def by_assertion(error: BaseException) -> bool:
    """Whether an assertion of a test, or of a bench in a simulator, failed."""
    if isinstance(error, (AssertionError, pytest.fail.Exception)):  # the latter where an error was to be raised
        return getattr(error, "asserted", True)
    return any(map(by_assertion, getattr(error, "exceptions", ())))  # of an exception group


def pytest_exception_interact(call: pytest.CallInfo) -> None:
    """Note that the fault was seen."""
    if SEEN_VARIABLE in os.environ and call.excinfo is not None and by_assertion(call.excinfo.value):
        Path(os.environ[SEEN_VARIABLE]).touch()


def invert_first_bit(result: object) -> object:
    """The same result with bit 0 of the first integer array's first element inverted."""
    if isinstance(result, tuple):
        parts = list(result)
        parts[0] = invert_first_bit(parts[0])
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    array = np.array(result)
    array.flat[0] ^= 1
    return array[()]


def pytest_configure() -> None:
    """Plant the fault. A component's name alone is for `sim.runner`."""
    module_name, colon, function_name = os.environ.get(FAULT_VARIABLE, "").partition(":")
    if module_name == "native":
        importlib.import_module("host.emulator.library").__file__ = f"{function_name}/library.py"
    if not colon or "." not in module_name:
        return
    module = importlib.import_module(module_name)
    original = getattr(module, function_name)

    @functools.wraps(original)
    def faulty(*args: object, **kwargs: object) -> object:
        return invert_first_bit(original(*args, **kwargs))

    setattr(module, function_name, faulty)
