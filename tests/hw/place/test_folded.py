"""A folded unit: bits go in and come out in the order of its pins, registers and nothing else around it."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.place.folded import FOLDED, Folded
from hw.verilog import to_verilog


class Unit(wiring.Component):
    def __init__(self):
        super().__init__({"a": In(3), "b": In(2), "sum": Out(4), "odd": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.sum.eq(self.a + self.b), self.odd.eq(self.a[0])]
        return m


def test_pins_pass_through_the_chains():
    folded = Folded(Unit())

    async def bench(ctx):
        for bit in f"{2:02b}{5:03b}":  # the last pin first
            ctx.set(folded.i, int(bit))
            await ctx.tick()
        ctx.set(folded.load, 1)
        await ctx.tick().repeat(2)
        ctx.set(folded.load, 0)
        found = []
        for _ in range(5):
            found.append(ctx.get(folded.o))
            await ctx.tick()
        assert found == [1, 1, 1, 0, 1]  # 5 + 2, lowest bit first, then odd

    simulator = Simulator(folded)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_the_unit_is_one_module_below_the_harness():
    verilog = to_verilog(Folded(Unit()), None, name="folded")
    assert f" {FOLDED} (" in verilog and "input i;" in verilog and "output o;" in verilog
