"""Port narrower: a 128-bit master behind a port of half the width, whose bursts have at most 16 beats as well."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.memory.axi import DATA_BITS, INCREMENT, Axi4

__all__ = ["PortNarrower"]

_BITS = DATA_BITS // 2
_SIZE_8_BYTES = 3
_PIECES = 32  # of 16 bursts under way, of an ID
_PIECE_BYTES = 16 * _BITS // 8


class PortNarrower(wiring.Component):
    """Two beats of `o` for one of `i`, the lower half first; a burst of more than eight beats becomes two.

    IDs are those of the master, below `ids`. Of each the beats, and the answers of writes, come in order; those of
    different IDs may be mixed. An error in any part is an error of the whole. A burst keeps its 256 bytes, so that its
    second half, 128 bytes on, does too. Answers to what was asked before a reset are handed on as they come, one for
    one. The ID stays on `o.awid` while its burst's beats are sent, as AXI3 wants it.

    The master takes data and answers as they come (`rready` and `bready` high) and has at most 16 bursts of each
    direction under way. Latency: two cycles of a read beside the memory's own, half a beat a cycle.
    """

    def __init__(self, ids: int) -> None:
        if ids < 1:
            raise ValueError(f"ids must be positive, got {ids}")
        self._ids = ids
        super().__init__({"i": In(Axi4()), "o": Out(Axi4(_BITS))})

    def elaborate(self, platform) -> Module:
        m = Module()
        o = self.o
        m.d.comb += [o.arsize.eq(_SIZE_8_BYTES), o.awsize.eq(_SIZE_8_BYTES), o.arburst.eq(INCREMENT),
                     o.awburst.eq(INCREMENT), o.rready.eq(1), o.bready.eq(1)]
        read_ends = [self._ends(m, f"read_{n}") for n in range(self._ids)]
        write_ends = [self._ends(m, f"write_{n}") for n in range(self._ids)]
        self._read_addresses(m, read_ends)
        self._read_data(m, read_ends)
        self._writes(m, write_ends)
        self._answers(m, write_ends)
        return m

    def _ends(self, m: Module, name: str) -> SyncFIFO:
        """Of an ID's pieces under way, in order, which end their burst."""
        m.submodules[name] = fifo = SyncFIFO(width=1, depth=_PIECES)
        return fifo

    def _read_addresses(self, m: Module, ends: list[SyncFIFO]) -> None:
        i, o = self.i, self.o
        rest, free, begin = Signal(), Signal(), Signal()  # rest: the second piece is to be sent
        length = Signal(4, reset_less=True)  # of the burst's last piece
        m.d.comb += [free.eq(~o.arvalid | o.arready), i.arready.eq(free & ~rest), begin.eq(free & (rest | i.arvalid))]
        with m.If(o.arready):
            m.d.sync += o.arvalid.eq(0)
        with m.If(begin):
            m.d.sync += [o.arvalid.eq(1), rest.eq(~rest & i.arlen[3])]
            with m.If(rest):
                m.d.sync += [o.araddr.eq(o.araddr | _PIECE_BYTES), o.arlen.eq(length)]
            with m.Else():
                last = Cat(1, i.arlen[:3])
                m.d.sync += [o.arid.eq(i.arid), o.araddr.eq(i.araddr), o.arlen.eq(Mux(i.arlen[3], 15, last)),
                             length.eq(last)]
        for n, end in enumerate(ends):
            m.d.comb += [end.w_en.eq(begin & (Mux(rest, o.arid, i.arid) == n)), end.w_data.eq(rest | ~i.arlen[3])]

    def _read_data(self, m: Module, ends: list[SyncFIFO]) -> None:
        i, o = self.i, self.o
        half = [Signal(_BITS, name=f"half_{n}", reset_less=True) for n in range(self._ids)]
        odd = [Signal(name=f"odd_{n}") for n in range(self._ids)]
        failed = [Signal(2, name=f"failed_{n}", reset_less=True) for n in range(self._ids)]
        asked, whole = Array(end.r_rdy for end in ends)[o.rid], Signal()
        m.d.comb += whole.eq(o.rvalid & (~asked | Array(odd)[o.rid]))
        m.d.sync += [i.rvalid.eq(whole), i.rid.eq(o.rid), i.rdata.eq(Cat(Array(half)[o.rid], o.rdata)),
                     i.rlast.eq(o.rlast & Array(end.r_data for end in ends)[o.rid]),
                     i.rresp.eq(o.rresp | Array(failed)[o.rid])]
        for n, end in enumerate(ends):
            own = Signal(name=f"own_{n}")
            m.d.comb += [own.eq(o.rvalid & (o.rid == n)), end.r_en.eq(own & o.rlast)]
            with m.If(own & end.r_rdy):
                m.d.sync += odd[n].eq(~odd[n])
            with m.If(own & ~odd[n]):
                m.d.sync += [half[n].eq(o.rdata), failed[n].eq(o.rresp)]

    def _writes(self, m: Module, ends: list[SyncFIFO]) -> None:
        i, o = self.i, self.o
        rest, second, begin, sent = Signal(), Signal(), Signal(), Signal()  # second: of a beat's halves
        length = Signal(3, reset_less=True)  # of the burst's last piece, in beats of `i`
        left = Signal(3, reset_less=True)
        with m.If(o.awready):
            m.d.sync += o.awvalid.eq(0)
        with m.FSM():
            with m.State("ADDRESS"):
                free = ~o.awvalid | o.awready
                m.d.comb += [i.awready.eq(free & ~rest), begin.eq(free & (rest | i.awvalid))]
                with m.If(begin):
                    m.d.sync += [o.awvalid.eq(1), rest.eq(~rest & i.awlen[3])]
                    m.next = "DATA"
                with m.If(begin & rest):
                    m.d.sync += [o.awaddr.eq(o.awaddr | _PIECE_BYTES), o.awlen.eq(Cat(1, length)), left.eq(length)]
                with m.If(begin & ~rest):
                    m.d.sync += [o.awid.eq(i.awid), o.awaddr.eq(i.awaddr), length.eq(i.awlen),
                                 o.awlen.eq(Mux(i.awlen[3], 15, Cat(1, i.awlen[:3]))),
                                 left.eq(Mux(i.awlen[3], 7, i.awlen[:3]))]
            with m.State("DATA"):
                m.d.comb += [o.wvalid.eq(i.wvalid), sent.eq(i.wvalid & o.wready), i.wready.eq(o.wready & second)]
                with m.If(sent):
                    m.d.sync += second.eq(~second)
                with m.If(sent & second):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "ADDRESS"
        m.d.comb += [
            o.wdata.eq(i.wdata.word_select(second, _BITS)), o.wstrb.eq(i.wstrb.word_select(second, _BITS // 8)),
            o.wlast.eq(second & (left == 0)),
        ]
        for n, end in enumerate(ends):
            m.d.comb += [end.w_en.eq(begin & (Mux(rest, o.awid, i.awid) == n)), end.w_data.eq(rest | ~i.awlen[3])]

    def _answers(self, m: Module, ends: list[SyncFIFO]) -> None:
        i, o = self.i, self.o
        failed = [Signal(2, name=f"write_failed_{n}") for n in range(self._ids)]
        ends_burst = Array(~end.r_rdy | end.r_data for end in ends)[o.bid]
        m.d.sync += [i.bvalid.eq(o.bvalid & ends_burst), i.bid.eq(o.bid),
                     i.bresp.eq(o.bresp | Array(failed)[o.bid])]
        for n, end in enumerate(ends):
            own = Signal(name=f"answered_{n}")
            m.d.comb += [own.eq(o.bvalid & (o.bid == n)), end.r_en.eq(own)]
            with m.If(own & end.r_rdy):
                m.d.sync += failed[n].eq(Mux(end.r_data, 0, o.bresp | failed[n]))
