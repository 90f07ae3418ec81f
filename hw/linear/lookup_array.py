"""The look-up array: T tables x Q outputs x M rows, and the sums over the tables."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.adder_tree import AdderTree
from hw.linear.group_index import INDEX_BITS
from hw.linear.lookup_table import ENTRY_BITS, FILL_CONTROL, GROUP, LookupTable
from models.machine.build import BuildParameters

__all__ = ["LookupArray"]


class LookupArray(wiring.Component):
    """sums[row][q] = sum over the tables t of entry indices[q][t] of row's table t; one step a cycle.

    `indices` and `bank` are taken in every cycle; the sums are there `latency` cycles later (address
    register, look-up register, ceil(log2 T) adder levels). No backpressure: what enters leaves.
    Tables: `groups` are the activations of 3 T / parts inputs, `load` (one-hot) says which part of the
    tables takes them; `fill` is the tables' common control (`hw.linear.table_fill`).

    Widths: entries signed(10), sums signed(10 + ceil(log2 T)), exact. Golden: `ternary_matmul` of one tile.
    """

    def __init__(self, build: BuildParameters, parts: int):
        if build.tables % parts:
            raise ValueError(f"{build.tables} tables do not make {parts} equal parts")
        self._build, self._parts = build, parts
        trees = [[AdderTree(signed(ENTRY_BITS), build.tables) for _ in range(build.outputs_per_step)]
                 for _ in range(build.rows)]
        self._trees = trees
        self.latency = 2 + trees[0][0].latency
        self.sum_bits = len(trees[0][0].total)
        sums = data.ArrayLayout(signed(self.sum_bits), build.outputs_per_step)
        super().__init__({
            "groups": In(data.ArrayLayout(data.ArrayLayout(GROUP, build.tables // parts), build.rows)),
            "load": In(parts),
            "fill": In(FILL_CONTROL),
            "indices": In(data.ArrayLayout(data.ArrayLayout(INDEX_BITS, build.tables), build.outputs_per_step)),
            "bank": In(1),
            "sums": Out(data.ArrayLayout(sums, build.rows)),
        })

    def elaborate(self, platform):
        m = Module()
        build = self._build
        outputs = range(build.outputs_per_step)
        tables_per_part = build.tables // self._parts

        for q in outputs:
            for row in range(build.rows):
                m.submodules[f"tree_{row}_{q}"] = tree = self._trees[row][q]
                m.d.comb += self.sums[row][q].eq(tree.total)

        for t in range(build.tables):
            addresses = [Signal(INDEX_BITS + 1, name=f"address_{t}_{q}", reset_less=True) for q in outputs]
            m.d.sync += [address.eq(Cat(self.indices[q][t], self.bank)) for q, address in enumerate(addresses)]
            m.submodules[f"table_{t}"] = table = LookupTable(build.outputs_per_step, build.rows)
            m.d.comb += [table.load.eq(self.load[t // tables_per_part]), table.fill.eq(self.fill)]
            m.d.comb += [table.addresses[q].eq(addresses[q]) for q in outputs]
            for row in range(build.rows):
                m.d.comb += table.groups[row].eq(self.groups[row][t % tables_per_part])
                m.d.sync += [self._trees[row][q].terms[t].eq(table.entries[q][row]) for q in outputs]
        return m
