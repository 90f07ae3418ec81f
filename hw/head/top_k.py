"""The k largest logits of each row, sorted, kept in a small memory."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.head.logit_scale import LOGIT_BITS
from hw.memory.shapes import ID_BITS

__all__ = ["CANDIDATE", "LISTED", "TopK"]

CANDIDATE = data.StructLayout({"row": 8, "id": ID_BITS, "value": signed(LOGIT_BITS)})
LISTED = data.StructLayout({"row": 8, "index": 8, "id": ID_BITS, "value": signed(LOGIT_BITS)})

_ENTRY = data.StructLayout({"id": ID_BITS, "value": signed(LOGIT_BITS)})
_NONE = {"id": (1 << ID_BITS) - 1, "value": -(1 << (LOGIT_BITS - 1))}  # below every logit: those saturate above it


class TopK(wiring.Component):
    """Keeps, for each of `rows` rows, the `k` largest of the candidates since `clear`, largest first.

    Contract: golden `top_k`, whatever the order of the candidates: among equals the lower id comes first. `k` (1 to
    k_max) is constant from `clear` on, with which no candidate is offered. With fewer than k candidates the rest of the
    list has id 2**24 - 1 and value -2**31.
    `drain` (once all candidates are taken; high until `drained`) sends the lists to `o`: rows 0 .. `rows_used` - 1,
    each from index 0.

    A candidate that is no larger than the last of the list takes one cycle, another one a cycle more for each
    entry it moves down: of V random logits about k (1 + ln(V / k)) move k / 2 entries each, a small part
    of the time that the dot products take. A systolic list of k comparators would take each in one
    cycle, for thirty times the logic. Clearing takes rows x k_max cycles.
    """

    def __init__(self, rows: int, k_max: int) -> None:
        if not 1 <= k_max <= 128 or not 1 <= rows <= 256:
            raise ValueError(f"k_max must be 1 to 128 and rows 1 to 256, got {k_max} and {rows}")
        self._rows, self._k_max = rows, k_max
        super().__init__({
            "clear": In(1),
            "k": In(8),
            "rows_used": In(8),
            "i": In(stream.Signature(CANDIDATE)),
            "drain": In(1),
            "drained": Out(1),
            "o": Out(stream.Signature(LISTED)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        index_bits, row_bits = ceil_log2(self._k_max), ceil_log2(self._rows)
        m.submodules.memory = memory = Memory(shape=_ENTRY, depth=1 << (index_bits + row_bits), init=[],
                                              attrs={"ram_style": "distributed"})
        read, ahead, write = memory.read_port(domain="comb"), memory.read_port(domain="comb"), memory.write_port()
        bottom, last_row = Signal(8, reset_less=True), Signal(8, reset_less=True)  # the last index and list
        m.d.sync += [bottom.eq(self.k - 1), last_row.eq(self.rows_used - 1)]
        row, index = Signal(8), Signal(8)
        candidate, entry = Signal(_ENTRY, reset_less=True), Signal(_ENTRY, reset_less=True)  # entry: at `index`
        taking, clearing, at_top = Signal(), Signal(init=1), Signal()  # states TAKE, CLEAR and FIRST; two as registers
        # the last entry of each row, out of registers: whether a candidate is listed at all waits for no memory
        least = Array(Signal(_ENTRY, reset_less=True, name=f"least_{n}") for n in range(self._rows))

        def address(row: Value, index: Value) -> Value:
            return Cat(index[:index_bits], row[:row_bits])

        below = _rank(candidate) > _rank(entry)
        m.d.comb += [
            read.addr.eq(address(row, index)),
            ahead.addr.eq(Mux(taking, address(self.i.p.row, bottom), address(row, index - 1))),
            write.addr.eq(address(row, index + 1)),
            write.data.eq(Mux(clearing, _ENTRY.const(_NONE), Mux(below & ~at_top, entry, candidate))),
            self.o.p.row.eq(row), self.o.p.index.eq(index), self.o.p.id.eq(read.data.id),
            self.o.p.value.eq(read.data.value),
        ]
        m.d.sync += entry.eq(ahead.data)
        with m.If(write.en & (write.addr == address(row, bottom))):
            m.d.sync += least[row].eq(write.data)
        with m.FSM() as fsm:
            m.d.comb += taking.eq(fsm.ongoing("TAKE"))
            with m.State("CLEAR"):
                m.d.comb += [write.en.eq(1), write.addr.eq(address(row, index))]
                m.d.sync += index.eq(index + 1)
                with m.If(index == self._k_max - 1):
                    m.d.sync += [index.eq(0), row.eq(row + 1)]
                    with m.If(row == self._rows - 1):
                        m.d.sync += [row.eq(0), clearing.eq(0)]
                        m.next = "TAKE"

            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [candidate.id.eq(self.i.p.id), candidate.value.eq(self.i.p.value)]
                with m.If(self.clear):
                    m.d.sync += [row.eq(0), index.eq(0), clearing.eq(1)]
                    m.next = "CLEAR"
                with m.Elif(self.i.valid):
                    m.d.sync += [row.eq(self.i.p.row), index.eq(bottom)]
                    with m.If(_rank(self.i.p) > _rank(least[self.i.p.row])):
                        m.next = "INSERT"
                with m.Elif(self.drain):
                    m.d.sync += [row.eq(0), index.eq(0)]
                    m.next = "DRAIN"

            # entry `index` is below the candidate and moves down, or the candidate's place is under it
            with m.State("INSERT"):
                m.d.comb += write.en.eq(index != bottom)
                m.d.sync += index.eq(index - 1)
                with m.If(~below):
                    m.next = "TAKE"
                with m.Elif(index == 0):
                    m.d.sync += at_top.eq(1)
                    m.next = "FIRST"
            with m.State("FIRST"):
                m.d.comb += [write.en.eq(1), write.addr.eq(address(row, Const(0, 8)))]
                m.d.sync += at_top.eq(0)
                m.next = "TAKE"

            with m.State("DRAIN"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == bottom):
                        m.d.sync += [index.eq(0), row.eq(row + 1)]
                        with m.If(row == last_row):
                            m.d.comb += self.drained.eq(1)
                            m.next = "TAKE"
        return m


def _rank(entry: data.View) -> Value:
    """A number by which entries order: by value, and among equals the lower id above."""
    return Cat(~entry.id, entry.value).as_signed()
