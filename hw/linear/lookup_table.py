"""One look-up table: all signed sums of three activations of every row, filled online, read by several outputs."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.linear.group_index import INDEX_BITS
from models.machine.build import TRITS_PER_GROUP

__all__ = ["ENTRY_BITS", "FILL_CONTROL", "GROUP", "LookupTable"]

ENTRY_BITS = 10  # 3 x 128 and a sign

GROUP = data.ArrayLayout(signed(8), TRITS_PER_GROUP)

FILL_CONTROL = data.StructLayout({
    "clear": 1,  # the running sum becomes 0
    "add": 1,  # the running sum takes activation `digit`, negated if `negative`
    "digit": range(TRITS_PER_GROUP),
    "negative": 1,
    "write": 1,  # the running sum goes to entry `index` of `bank`
    "bank": 1,
    "index": INDEX_BITS,
})


class LookupTable(wiring.Component):
    """entry[group_index(t)] = t0 a0 + t1 a1 + t2 a2 for all trits t, of each row, in two banks; `reads` read ports.

    `load` bit n takes activation n of the rows' groups into registers; `fill` then computes the entries of a bank one a
    cycle (`hw.linear.fill_order`), all tables of the array in step. Reads are combinational, address
    {bank, index} with the bank on top; a bank must not be read while it is filled. `entries[read][row]`.

    The rows of a table meet the same weights, hence the same addresses: they lie side by side in one word. Each
    read port is a copy of its 64 x 10 rows bits in distributed RAM, seven bits to eight LUTs (RAM64M8), so that
    eight rows take 12 LUTs a look-up where a memory of its own for each row took 16. Both banks in one 64-deep
    LUT RAM cost less than two of 32 and a multiplexer. Source: TeLLMe v2, table-lookup matmul.
    """

    def __init__(self, reads: int, rows: int) -> None:
        if reads < 1 or rows < 1:
            raise ValueError(f"a table has at least one read port and one row, got {reads} and {rows}")
        self._reads, self._rows = reads, rows
        self._word = data.ArrayLayout(signed(ENTRY_BITS), rows)
        super().__init__({
            "groups": In(data.ArrayLayout(GROUP, rows)),
            "load": In(TRITS_PER_GROUP),
            "fill": In(FILL_CONTROL),
            "addresses": In(data.ArrayLayout(INDEX_BITS + 1, reads)),
            "entries": Out(data.ArrayLayout(self._word, reads)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._word, depth=2 << INDEX_BITS, init=[],
                                              attrs={"ram_style": "distributed"})
        write = memory.write_port()
        fill = self.fill
        for row in range(self._rows):
            group = Signal(GROUP, name=f"group_{row}", reset_less=True)
            total = Signal(signed(ENTRY_BITS), name=f"total_{row}", reset_less=True)
            for n in range(TRITS_PER_GROUP):
                with m.If(self.load[n]):
                    m.d.sync += group[n].eq(self.groups[row][n])
            term = group[fill.digit]
            with m.If(fill.clear):
                m.d.sync += total.eq(0)
            with m.Elif(fill.add):
                m.d.sync += total.eq(total + Mux(fill.negative, ~term, term) + fill.negative)
            m.d.comb += write.data[row].eq(total)
        m.d.comb += [write.en.eq(fill.write), write.addr.eq(Cat(fill.index, fill.bank))]

        for n in range(self._reads):
            read = memory.read_port(domain="comb")
            m.d.comb += [read.addr.eq(self.addresses[n]), self.entries[n].eq(read.data)]
        return m
