"""The shortlists of all rows: the ids with the best scores, sorted, in block RAM."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.linear.accumulator import ACCUMULATOR_BITS
from hw.memory.shapes import ID_BITS, LIST_PLACE
from models.machine.build import SHORTLIST

__all__ = ["ENTRY", "SCORE_BITS", "BestList"]

SCORE_BITS = ACCUMULATOR_BITS + 16  # a sum times a gain
ENTRY = data.StructLayout({"id": ID_BITS, "score": signed(SCORE_BITS)})

_NONE = -(1 << SCORE_BITS - 1)  # below every score: those are at least -2**(SCORE_BITS - 2)


class BestList(wiring.Component):
    """Keeps, for each of `rows` rows, the `k` entries with the largest scores offered, largest first.

    Contract: golden `shortlist` (docs/numerics.md §10), given entries of a row in ascending order of their ids: among
    equals the one offered first comes first, and none enters that is equal to the last. `k` is 1 to SHORTLIST, the
    same for a row from its `begin` on.

    `open` turns to `row`, with `begin` after its list is forgotten; `smallest` is from then on the score of the
    list's last entry, below all scores while there are fewer than k. `i` offers an entry, which holds still until it
    is taken. `read` -> `o`: the id at a place, undefined where fewer were offered; it waits for the other two.

    Cycles: `open` 4, with `begin` k + 1; an entry that does not enter 5, another one 5 + the entries it moves down; a
    read 4. An insertion goes up from the list's end, an entry a cycle: where it reads next does not depend on what it
    finds, so that the comparison has its own cycle behind the memory's two.
    """

    def __init__(self, rows: int) -> None:
        if not 1 <= rows <= 256:
            raise ValueError(f"rows must be 1 to 256, got {rows}")
        self._rows = rows
        super().__init__({
            "k": In(8),
            "open": In(stream.Signature(data.StructLayout({"row": 8, "begin": 1}))),
            "smallest": Out(signed(SCORE_BITS)),
            "i": In(stream.Signature(ENTRY)),
            "read": In(stream.Signature(LIST_PLACE)),
            "o": Out(stream.Signature(ID_BITS)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        index_bits, row_bits = ceil_log2(SHORTLIST), ceil_log2(self._rows)
        m.submodules.memory = memory = Memory(shape=ENTRY, depth=1 << index_bits + row_bits, init=[],
                                              attrs={"ram_style": "block"})
        read, write = memory.read_port(), memory.write_port()
        row = Signal(row_bits)
        index = Signal(index_bits)  # of the entry asked for
        place = Signal(index_bits)  # the one below the entry compared: whichever is smaller goes there
        top = Signal()  # that one is the first: nothing is above it
        comparison = Signal(2)  # the first, whose loser falls out; the second, which leaves the list's last entry
        bottom = Signal(index_bits, reset_less=True)
        asking, arrived, compared = Signal(), Signal(), Signal()  # in the cycle after, two and three after the address
        going = Signal()  # addresses are given
        found, moved = Signal(ENTRY, reset_less=True), Signal(ENTRY, reset_less=True)
        below, stays, clearing, filling = Signal(), Signal(), Signal(), Signal()

        m.d.comb += [
            read.addr.eq(Cat(index, row)),
            write.addr.eq(Cat(place, row)),
            stays.eq(below & ~top),  # there is an entry above, and it is the smaller one
            write.data.score.eq(Mux(clearing, _NONE, Mux(stays, moved.score, self.i.p.score))),
            write.data.id.eq(Mux(stays, moved.id, self.i.p.id)),
            self.o.payload.eq(found.id),
        ]
        m.d.sync += [
            bottom.eq(self.k - 1),
            asking.eq(going), arrived.eq(asking & going), compared.eq(arrived & going),
            found.eq(read.data), moved.eq(found), below.eq(self.i.p.score > found.score),
        ]
        with m.If(filling | clearing | (write.en & comparison[1])):
            m.d.sync += self.smallest.eq(write.data.score)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [index.eq(bottom), place.eq(self.k), top.eq(0), comparison.eq(1)]
                with m.If(self.open.valid):
                    m.d.sync += row.eq(self.open.p.row)
                    m.next = "BOTTOM"
                    with m.If(self.open.p.begin):
                        m.d.sync += [place.eq(bottom), top.eq(bottom == 0)]
                        m.next = "CLEAR"
                with m.Elif(self.i.valid):
                    m.next = "INSERT"
                with m.Elif(self.read.valid):
                    m.next = "READ"
            with m.State("CLEAR"):
                m.d.comb += [clearing.eq(1), write.en.eq(1)]
                m.d.sync += [place.eq(place - 1), top.eq(place == 1)]
                with m.If(top):
                    m.d.comb += self.open.ready.eq(1)
                    m.next = "IDLE"
            with m.State("BOTTOM"):  # of a row begun before: its score as if it were moved
                m.d.comb += [going.eq(1), filling.eq(compared), stays.eq(1), self.open.ready.eq(compared)]
                with m.If(compared):
                    m.next = "IDLE"
            with m.State("INSERT"):
                m.d.comb += going.eq(1)
                m.d.sync += index.eq(index - 1)
                with m.If(compared):
                    m.d.comb += write.en.eq(~comparison[0])
                    m.d.sync += [place.eq(place - 1), top.eq(place == 1), comparison.eq(comparison << 1)]
                    with m.If(~stays):
                        m.d.comb += self.i.ready.eq(1)
                        m.next = "IDLE"
            with m.State("READ"):
                m.d.comb += [going.eq(1), read.addr.eq(Cat(self.read.p.index[:index_bits],
                                                           self.read.p.row[:row_bits]))]
                m.d.comb += [self.o.valid.eq(arrived), self.read.ready.eq(self.o.valid & self.o.ready)]
                with m.If(self.read.ready):
                    m.next = "IDLE"
        return m
