"""Attention's results of all heads, and the exponents of their groups."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from hw.arith.pipeline import Pipeline
from hw.arith.rounding import shift_sticky
from hw.attention.normaliser import OUTPUT_BITS
from models.machine.build import LANES

__all__ = ["OUTPUT_WORD", "OUTPUT_REQUEST", "OutputMemory"]

OUTPUT_REQUEST = data.StructLayout({"count": 16, "row": 8, "group_channels": 16})
OUTPUT_WORD = data.StructLayout({"values": data.ArrayLayout(signed(OUTPUT_BITS), LANES), "last": 1})
_EXPONENT = signed(10)
_LANE_BITS = exact_log2(LANES)


class OutputMemory(wiring.Component):
    """Keeps o of every row and channel; gives a row's channels aligned to the row's largest exponent.

    Writing: `row_start` makes `write_row` the row of what follows and sets its channel back to 0; then
    each transfer on `i` (always ready) is its next channel. Each `i_exponent` transfer {row, group,
    exponent}, in ascending order of groups, sets the exponent of a group; group 0 restarts the row's
    largest.

    Reading: a request on `i_request` gives channels 0 .. count - 1 of `row` on `o`, LANES a cycle, the
    last word marked: x = round(o / 2**(E - exponent of the channel's group)), half to even, where a group has
    `group_channels` channels, count and group_channels being multiples of LANES. `exponent` is E, from the cycle
    after the request's acceptance until the next; a request is accepted once the last word of the one before is
    taken. First word `LATENCY` cycles after the request. Writing and reading a row at once is undefined. Golden: the
    end of `_attend` in models/golden/model.py.
    """

    LATENCY = 7

    def __init__(self, *, rows: int, channels: int, groups: int):
        self._rows, self._channels, self._groups = rows, channels, groups
        super().__init__({
            "row_start": In(1),
            "write_row": In(range(rows)),
            "i": In(stream.Signature(signed(OUTPUT_BITS))),
            "i_exponent": In(stream.Signature(data.StructLayout(
                {"row": range(rows), "group": range(groups), "exponent": _EXPONENT}))),
            "i_request": In(stream.Signature(OUTPUT_REQUEST)),
            "o": Out(stream.Signature(OUTPUT_WORD)),
            "exponent": Out(_EXPONENT),
        })

    def elaborate(self, platform):
        m = Module()
        word_bits, group_bits = ceil_log2(-(-self._channels // LANES)), ceil_log2(self._groups)
        m.submodules.outputs = outputs = Memory(
            shape=data.ArrayLayout(signed(OUTPUT_BITS), LANES), depth=self._rows << word_bits, init=[])
        m.submodules.exponents = exponents = Memory(shape=_EXPONENT, depth=self._rows << group_bits, init=[])
        m.submodules.largest = largest = Memory(shape=_EXPONENT, depth=self._rows, init=[])

        self._elaborate_write(m, outputs, exponents, largest)
        self._elaborate_read(m, outputs, exponents, largest)
        return m

    def _elaborate_write(self, m: Module, outputs: Memory, exponents: Memory, largest: Memory) -> None:
        row, channel = Signal(range(self._rows)), Signal(range(self._channels))
        write = outputs.write_port(granularity=1)
        m.d.comb += [self.i.ready.eq(1), write.addr.eq(Cat(channel[_LANE_BITS:], row)),
                     *(write.data[n].eq(self.i.payload) for n in range(LANES)),
                     write.en.eq(self.i.valid << channel[:_LANE_BITS])]
        with m.If(self.row_start):
            m.d.sync += [row.eq(self.write_row), channel.eq(0)]
        with m.Elif(self.i.valid):
            m.d.sync += channel.eq(channel + 1)

        write, write_largest = exponents.write_port(), largest.write_port()
        read_largest = largest.read_port(domain="comb")
        new = self.i_exponent.p
        m.d.comb += [
            self.i_exponent.ready.eq(1),
            write.addr.eq(Cat(new.group, new.row)), write.data.eq(new.exponent),
            write.en.eq(self.i_exponent.valid),
            read_largest.addr.eq(new.row),
            write_largest.addr.eq(new.row), write_largest.data.eq(new.exponent),
            write_largest.en.eq(
                self.i_exponent.valid & ((new.group == 0) | (new.exponent > read_largest.data))),
        ]

    def _elaborate_read(self, m: Module, outputs: Memory, exponents: Memory, largest: Memory) -> None:
        request = Signal(OUTPUT_REQUEST, reset_less=True)
        word, group = Signal(range(-(-self._channels // LANES))), Signal(range(self._groups))
        in_group = Signal(16)
        issue = stream.Signature(0).create()
        row_ends = word == (request.count >> _LANE_BITS) - 1

        read_largest = largest.read_port(domain="comb")
        m.d.comb += read_largest.addr.eq(self.i_request.p.row)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i_request.ready.eq(1)
                m.d.sync += [request.eq(self.i_request.p), word.eq(0), group.eq(0), in_group.eq(0)]
                with m.If(self.i_request.valid):
                    m.d.sync += self.exponent.eq(read_largest.data)
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += issue.valid.eq(1)
                with m.If(issue.ready):
                    m.d.sync += [word.eq(word + 1), in_group.eq(in_group + 1)]
                    with m.If(in_group == (request.group_channels >> _LANE_BITS) - 1):
                        m.d.sync += [in_group.eq(0), group.eq(group + 1)]
                    with m.If(row_ends):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(self.o.valid & self.o.ready & self.o.p.last):
                    m.next = "IDLE"

        p = Pipeline(m, issue, self.o)
        read, read_exponent = outputs.read_port(), exponents.read_port()
        m.d.comb += [read.addr.eq(Cat(word, request.row)), read.en.eq(p.advance),
                     read_exponent.addr.eq(Cat(group, request.row)), read_exponent.en.eq(p.advance)]
        last, = p.step(row_ends)
        *values, apart, last = p.step(*read.data, self.exponent - read_exponent.data, last)
        # from a shift of 26 on nothing is left of 24 bits and sign
        *values, amount, last = p.step(*values, Mux(apart > OUTPUT_BITS, OUTPUT_BITS + 1, apart)[:5], last)
        for bits, unit in ((slice(3, None), 8), (slice(0, 3), 1)):
            pairs = values if unit == 1 else [(x << 1, Const(0, 1)) for x in values]
            moved = [shift_sticky(x, sticky, amount[bits], unit=unit) for x, sticky in pairs]
            *flat, amount, last = p.step(*(part for pair in moved for part in pair), amount, last)
            values = list(zip(flat[::2], flat[1::2], strict=True))
        *values, last = p.step(*(
            (shifted[1:].as_signed() + (shifted[0] & (sticky | shifted[1])))[:OUTPUT_BITS].as_signed()
            for shifted, sticky in values), last)
        p.finish(values=Cat(values), last=last)
