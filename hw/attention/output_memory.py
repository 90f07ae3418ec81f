"""Attention's results of all heads, and the exponents of their groups."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.pipeline import Pipeline
from hw.arith.rounding import shift_sticky
from hw.attention.normaliser import OUTPUT_BITS

__all__ = ["OUTPUT_ELEMENT", "OUTPUT_REQUEST", "OutputMemory"]

OUTPUT_REQUEST = data.StructLayout({"count": 16, "row": 8, "group_channels": 16})
OUTPUT_ELEMENT = data.StructLayout({"x": signed(OUTPUT_BITS), "last": 1})
_EXPONENT = signed(10)


class OutputMemory(wiring.Component):
    """Keeps o of every row and channel; gives a row's channels aligned to the row's largest exponent.

    Writing: `row_start` makes `write_row` the row of what follows and sets its channel back to 0; then
    each transfer on `i` (always ready) is its next channel. Each `i_exponent` transfer {row, group,
    exponent}, in ascending order of groups, sets the exponent of a group; group 0 restarts the row's
    largest.

    Reading: a request on `i_request` gives channels 0 .. count - 1 of `row` on `o`, one a cycle, the
    last marked: x = round(o / 2**(E - exponent of the channel's group)), half to even, where a group has
    `group_channels` channels. `exponent` is E, from the cycle after the request's acceptance until the
    next; a request is accepted once the last element of the one before is taken. First element
    `LATENCY` cycles after the request. Writing and reading a row at once is undefined. Golden: the end
    of `_attend` in models/golden/model.py.
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
            "o": Out(stream.Signature(OUTPUT_ELEMENT)),
            "exponent": Out(_EXPONENT),
        })

    def elaborate(self, platform):
        m = Module()
        channel_bits, group_bits = ceil_log2(self._channels), ceil_log2(self._groups)
        m.submodules.outputs = outputs = Memory(
            shape=signed(OUTPUT_BITS), depth=self._rows << channel_bits, init=[])
        m.submodules.exponents = exponents = Memory(shape=_EXPONENT, depth=self._rows << group_bits, init=[])
        m.submodules.largest = largest = Memory(shape=_EXPONENT, depth=self._rows, init=[])

        self._elaborate_write(m, outputs, exponents, largest)
        self._elaborate_read(m, outputs, exponents, largest)
        return m

    def _elaborate_write(self, m: Module, outputs: Memory, exponents: Memory, largest: Memory) -> None:
        row, channel = Signal(range(self._rows)), Signal(range(self._channels))
        write = outputs.write_port()
        m.d.comb += [self.i.ready.eq(1), write.addr.eq(Cat(channel, row)), write.data.eq(self.i.payload),
                     write.en.eq(self.i.valid)]
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
        channel, group = Signal(range(self._channels)), Signal(range(self._groups))
        in_group = Signal(16)
        issue = stream.Signature(0).create()
        channel_end = channel == request.count - 1

        read_largest = largest.read_port(domain="comb")
        m.d.comb += read_largest.addr.eq(self.i_request.p.row)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i_request.ready.eq(1)
                m.d.sync += [request.eq(self.i_request.p), channel.eq(0), group.eq(0), in_group.eq(0)]
                with m.If(self.i_request.valid):
                    m.d.sync += self.exponent.eq(read_largest.data)
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += issue.valid.eq(1)
                with m.If(issue.ready):
                    m.d.sync += [channel.eq(channel + 1), in_group.eq(in_group + 1)]
                    with m.If(in_group == request.group_channels - 1):
                        m.d.sync += [in_group.eq(0), group.eq(group + 1)]
                    with m.If(channel_end):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(self.o.valid & self.o.ready & self.o.p.last):
                    m.next = "IDLE"

        p = Pipeline(m, issue, self.o)
        read, read_exponent = outputs.read_port(), exponents.read_port()
        m.d.comb += [read.addr.eq(Cat(channel, request.row)), read.en.eq(p.advance),
                     read_exponent.addr.eq(Cat(group, request.row)), read_exponent.en.eq(p.advance)]
        last, = p.step(channel_end)
        x, apart, last = p.step(read.data, self.exponent - read_exponent.data, last)
        # from a shift of 26 on nothing is left of 24 bits and sign
        x, amount, last = p.step(x, Mux(apart > OUTPUT_BITS, OUTPUT_BITS + 1, apart)[:5], last)
        shifted, sticky = shift_sticky(x << 1, Const(0, 1), amount[3:], unit=8)
        shifted, sticky, amount, last = p.step(shifted, sticky, amount[:3], last)
        shifted, sticky = shift_sticky(shifted, sticky, amount)
        shifted, sticky, last = p.step(shifted, sticky, last)
        quotient = shifted[1:].as_signed()
        x, last = p.step((quotient + (shifted[0] & (sticky | shifted[1])))[:OUTPUT_BITS].as_signed(), last)
        p.finish(x=x, last=last)
