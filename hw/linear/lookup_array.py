"""The look-up array: T tables x Q outputs x M rows, and the sums over the tables."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.adder_tree import AdderTree
from hw.linear.group_index import INDEX_BITS
from hw.linear.lookup_table import ENTRY_BITS, FILL_CONTROL, LookupTable
from hw.stream.kept import KEPT
from models.machine.build import TRITS_PER_GROUP, BuildParameters

__all__ = ["LookupArray"]

_TABLES_A_FILL = 4  # that share registers of the common control


class LookupArray(wiring.Component):
    """sums[row][q] = sum over the tables t of entry indices[q][t] of row's table t; one step a cycle.

    `indices` and `bank` are taken in every cycle; the sums are there `latency` cycles later (address
    register, look-up register, ceil(log2 T) adder levels). No backpressure: what enters leaves.
    Tables: `activations` are `lanes` neighbouring inputs of all rows, `load` (one-hot) says which of the tile's
    3 T / lanes words they are; `fill` is the tables' common control (`hw.linear.table_fill`), a cycle later.
    A register drives the bank bit of one look-up, and of `fill` those of a few tables: one of each would have 10,752
    and 2,560 loads in the kv260's array.

    Widths: entries signed(10), sums signed(10 + ceil(log2 T)), exact. Golden: `ternary_matmul` of one tile.
    """

    def __init__(self, build: BuildParameters, lanes: int) -> None:
        if build.tile_inputs % lanes:
            raise ValueError(f"{build.tile_inputs} inputs do not make words of {lanes}")
        self._build, self._lanes = build, lanes
        trees = [[AdderTree(signed(ENTRY_BITS), build.tables) for _ in range(build.outputs_per_step)]
                 for _ in range(build.rows)]
        self._trees = trees
        self.latency = 2 + trees[0][0].latency
        self.sum_bits = len(trees[0][0].total)
        sums = data.ArrayLayout(signed(self.sum_bits), build.outputs_per_step)
        super().__init__({
            "activations": In(data.ArrayLayout(data.ArrayLayout(signed(8), lanes), build.rows)),
            "load": In(build.tile_inputs // lanes),
            "fill": In(FILL_CONTROL),
            "indices": In(data.ArrayLayout(data.ArrayLayout(INDEX_BITS, build.tables), build.outputs_per_step)),
            "bank": In(1),
            "sums": Out(data.ArrayLayout(sums, build.rows)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        build = self._build
        outputs = range(build.outputs_per_step)

        for q in outputs:
            for row in range(build.rows):
                m.submodules[f"tree_{row}_{q}"] = tree = self._trees[row][q]
                m.d.comb += self.sums[row][q].eq(tree.total)

        for t in range(build.tables):
            if t % _TABLES_A_FILL == 0:
                fill = Signal(FILL_CONTROL, name=f"fill_{t}", reset_less=True, attrs=KEPT)
                m.d.sync += fill.eq(self.fill)
            indices = [Signal(INDEX_BITS, name=f"index_{t}_{q}", reset_less=True) for q in outputs]
            banks = [Signal(name=f"bank_{t}_{q}", reset_less=True, attrs=KEPT) for q in outputs]
            m.d.sync += [index.eq(self.indices[q][t]) for q, index in enumerate(indices)]
            m.d.sync += [bank.eq(self.bank) for bank in banks]
            addresses = [Cat(index, bank) for index, bank in zip(indices, banks, strict=True)]
            m.submodules[f"table_{t}"] = table = LookupTable(build.outputs_per_step, build.rows)
            m.d.comb += table.fill.eq(fill)
            for n in range(TRITS_PER_GROUP):
                word, lane = divmod(TRITS_PER_GROUP * t + n, self._lanes)
                m.d.comb += table.load[n].eq(self.load[word])
                m.d.comb += [table.groups[row][n].eq(self.activations[row][lane]) for row in range(build.rows)]
            m.d.comb += [table.addresses[q].eq(addresses[q]) for q in outputs]
            for row in range(build.rows):
                for q in outputs:
                    entry = Signal(signed(ENTRY_BITS), name=f"entry_{row}_{q}_{t}", reset_less=True)
                    m.d.sync += entry.eq(table.entries[q][row])
                    m.d.comb += self._trees[row][q].terms[t].eq(entry)
        return m
