# amaranth: UnusedElaboratable=no
"""Registers behind their bus, one access of each kind."""

import pytest

from hw.control.registers import Registers
from models.machine.registers import Register
from sim.runner import run_bench


def test_bench():
    run_bench(Registers(), "tests.hw.control.registers_bench", {})


def test_access_kinds():
    with pytest.raises(ValueError, match="X: unknown access .rx."):
        Registers((Register("X", 0, "rx", ""),))
