"""Sums of products in DSP blocks against integers, operand by operand."""

from __future__ import annotations

from dataclasses import replace

import cocotb
from amaranth.hdl import Cat, Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from hw.arith.multiply_add import MULTIPLY_ADD_LATENCY, accumulate, multiply_add, operand_bits, registered_product
from hw.boards.technology import ECP5, PLAIN, SERIES_7, ULTRASCALE_PLUS
from sim.packing import Packing
from sim.testbench import generator, parameters, start

__all__ = ["BENCH", "TECHNOLOGIES", "SumsOfProducts"]

BENCH = "tests.hw.arith.multiply_add_bench"
_SUM_BITS = 48
TECHNOLOGIES = {technology.name: technology for technology in (ULTRASCALE_PLUS, SERIES_7, ECP5, PLAIN)}
TECHNOLOGIES["fabric"] = replace(SERIES_7, fabric_bits=SERIES_7.dsp.b_bits)


class SumsOfProducts(wiring.Component):
    """`dot`: a chain over all pairs of operands. `total`: the first `added` of them over time. `wide`: the first b
    times the first two a's behind each other, the cycle before.

    technology: by name, whose widest operands the ports have.
    """

    def __init__(self, pairs: int, added: int, technology: str):
        self.pairs, self.added = pairs, added
        self.operand_bits = operand_bits(TECHNOLOGIES[technology])
        a_bits, b_bits = self.operand_bits
        super().__init__({
            "a": In(data.ArrayLayout(signed(a_bits), pairs)), "b": In(data.ArrayLayout(signed(b_bits), pairs)),
            "first": In(1), "enable": In(1), "dot": Out(signed(_SUM_BITS)), "total": Out(signed(_SUM_BITS)),
            "wide": Out(signed(2 * a_bits + b_bits))})

    def elaborate(self, platform) -> Module:
        m = Module()
        operands = [(self.a[n], self.b[n]) for n in range(self.pairs)]
        dot = None
        for a, b in operands:
            dot = multiply_add(m, platform, a, b, dot)
        m.d.comb += [self.dot.eq(dot.value), self.total.eq(
            accumulate(m, platform, operands[:self.added], first=self.first, enable=self.enable)),
            self.wide.eq(registered_product(m, platform, Cat(self.a[:2]).as_signed(), self.b[0]))]
        return m


def _signed(value: int) -> int:
    return (value + (1 << (_SUM_BITS - 1))) % (1 << _SUM_BITS) - (1 << (_SUM_BITS - 1))


@cocotb.test()
async def exact_sums(dut):
    """Random and extreme operands in every cycle, the running sum begun, continued and held at random."""
    given = parameters()
    unit, rng = SumsOfProducts(**given["unit"]), generator()
    packings = [(name, Packing.of(getattr(unit, name).shape()), bits)
                for name, bits in zip("ab", unit.operand_bits, strict=True)]
    dut.a.value = dut.b.value = dut.first.value = dut.enable.value = 0
    await start(dut)
    taken: list[dict] = []  # what the ports held, by cycle
    total = known = None

    def product(pair: int, cycle: int) -> int:
        return taken[cycle]["a"][pair] * taken[cycle]["b"][pair]

    for cycle in range(given["cycles"]):
        now = {"first": int(rng.random() < 0.2), "enable": int(rng.random() < 0.7)}
        for name, packing, bits in packings:
            limit = 1 << (bits - 1)
            now[name] = [rng.choice((-limit, limit - 1, rng.randrange(-limit, limit))) for _ in range(unit.pairs)]
            getattr(dut, name).value = packing.pack(now[name])
        dut.first.value, dut.enable.value = now["first"], now["enable"]
        taken.append(now)
        await RisingEdge(dut.clk)  # ports still have the values of this cycle
        if cycle:
            before, bits = taken[cycle - 1], unit.operand_bits[0]
            wide = ((before["a"][1] << bits) + before["a"][0] % (1 << bits)) * before["b"][0]
            assert dut.wide.value.to_signed() == wide, f"cycle {cycle}"
        start_of_chain = cycle - MULTIPLY_ADD_LATENCY - (unit.pairs - 1)
        if start_of_chain >= 0:
            expected = _signed(sum(product(pair, start_of_chain + pair) for pair in range(unit.pairs)))
            assert dut.dot.value.to_signed() == expected, f"dot in cycle {cycle}"
        if known:
            assert dut.total.value.to_signed() == total, f"total in cycle {cycle}"
        if now["enable"] and cycle > unit.added:  # the sum of the next cycle
            added = sum(product(pair, cycle - 1 - unit.added + pair) for pair in range(unit.added))
            if taken[cycle - 1]["first"]:
                total, known = _signed(added), True
            elif known:
                total = _signed(total + added)
