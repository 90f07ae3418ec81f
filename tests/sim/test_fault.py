# amaranth: UnusedElaboratable=no
"""A planted fault is one inverted bit, on ports of any name, and only of the component that is named."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.fault import FAULT_VARIABLE, inverted_output, output_ports
from sim.runner import BenchFailure, emit_verilog
from tests.hw.cycle_table import check_cycles


class Delay(wiring.Component):
    """A cycle's delay; its ports are called as keywords of Verilog's."""

    def __init__(self):
        super().__init__({"byte": In(4), "release": Out(4), "done": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.sync += self.release.eq(self.byte)
        m.d.comb += self.done.eq(self.release == 15)
        return m


def _check(release, done):
    check_cycles(Delay(), inputs={"byte": [3, 15, 8, 0]}, outputs={"release": release, "done": done})


def test_the_bit_is_inverted(monkeypatch):
    monkeypatch.setenv(FAULT_VARIABLE, "Delay:release")
    _check([1, 2, 14, 9], [0, 0, 1, 0])
    with pytest.raises(BenchFailure, match="release is 0x1 in cycle 0, not 0x0") as failure:
        _check([0, 3, 15, 8], [0, 0, 1, 0])
    assert failure.value.asserted


def test_other_components_stay():
    text = emit_verilog(Delay())
    assert sorted(output_ports(text)) == ["done", "release"]
    assert inverted_output("Delay", text) is None
