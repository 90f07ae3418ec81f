# amaranth: UnusedElaboratable=no
"""Reset tree: a component behind it is reset late and whole, and no register of the tree resets too many bits."""

from __future__ import annotations

import re

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.boards.technology import ULTRASCALE_PLUS
from hw.stream.reset_tree import RESET_LATENCY, ResetTree
from hw.verilog import to_verilog
from tests.hw.cycle_table import check_cycles


class _Counters(wiring.Component):
    """Units that count, each from another value; one that remembers."""

    def __init__(self, units: int = 3, bits: int = 8) -> None:
        self._units, self._bits = units, bits
        super().__init__({"counts": Out(units * bits), "kept": Out(bits), "i": In(bits)})

    def elaborate(self, platform) -> Module:
        m = Module()
        counts = []
        for n in range(self._units):
            m.submodules[f"unit_{n}"] = unit = Module()
            counts.append(Signal(self._bits, init=n + 1))
            unit.d.sync += counts[-1].eq(counts[-1] + 1)
        kept = Signal(self._bits, reset_less=True)
        m.d.sync += kept.eq(self.i)
        m.d.comb += [self.counts.eq(Cat(counts)), self.kept.eq(kept)]
        return m


class _Around(wiring.Component):
    """What a reset inserted around the tree does to it."""

    def __init__(self) -> None:
        super().__init__({"reset": In(1), "i": In(8), "counts": Out(24), "kept": Out(8)})

    def elaborate(self, platform) -> Module:
        m = Module()
        counters = _Counters()
        m.submodules.counters = ResetInserter(self.reset)(ResetTree("tree")(counters))
        m.d.comb += [counters.i.eq(self.i), self.counts.eq(counters.counts), self.kept.eq(counters.kept)]
        return m


def test_reset_and_release_are_late_and_data_goes_on():
    reset = [0] * 8 + [1] * 3 + [0] * 12
    late = [1] * (RESET_LATENCY + 1) + reset  # as the counters have it, from the design's own reset on
    counts, value = [], (1, 2, 3)
    for held in late[:len(reset)]:
        value = (1, 2, 3) if held else tuple(count + 1 for count in value)
        counts.append(sum(count << 8 * n for n, count in enumerate(value)))
    given = [7 * cycle % 256 for cycle in range(len(reset))]
    check_cycles(_Around(), inputs={"reset": reset, "i": given},
                 outputs={"counts": counts, "kept": [None, *given[:-1]]})


def test_a_leaf_has_some_hundred_bits():
    """Twenty units of a hundred bits: four leaves of up to five hundred."""
    text = to_verilog(ResetTree("tree")(_Counters(units=20, bits=100)), ULTRASCALE_PLUS, name="top")
    assert len(set(re.findall(r"\breset_\d+\b", text))) == 4
    assert '(* equivalent_register_removal = "no" *)' in text and '(* keep = "true" *)' in text
    assert "if (rst)" in text and len(re.findall(r"if \(reset_\d\)", text)) == 20
