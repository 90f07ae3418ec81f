"""Attention's results of all heads, and the exponents of their groups."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from hw.arith.rounding import shift_sticky
from hw.stream.pipeline import Pipeline
from hw.stream.reserved_queue import ReservedQueue
from models.machine.build import CHANNEL_UNIT

__all__ = ["OUTPUT_BITS", "OUTPUT_REQUEST", "ROW_EXPONENT", "OutputMemory", "output_part", "output_word"]

OUTPUT_BITS = 26  # |o| <= 2**24, docs/numerics.md §7
_BETWEEN = 3  # places of results beside those under way, so that a word a cycle comes

OUTPUT_REQUEST = data.StructLayout({"count": 16, "row": 8, "group_channels": 16})
_EXPONENT = signed(10)
ROW_EXPONENT = data.StructLayout({"row": 8, "group": 8, "exponent": _EXPONENT})


def output_word(lanes: int) -> data.StructLayout:
    """Results of neighbouring channels; `last`: of a row's last ones."""
    return data.StructLayout({"values": data.ArrayLayout(signed(OUTPUT_BITS), lanes), "last": 1})


def output_part(rows: int, channels: int, written: int = 2) -> data.StructLayout:
    """Results of a row's channels from `channel` on, a multiple of their number."""
    return data.StructLayout({"row": range(rows), "channel": range(channels),
                              "x": data.ArrayLayout(signed(OUTPUT_BITS), written)})


class OutputMemory(wiring.Component):
    """Keeps o of every row and channel; gives a row's channels aligned to the row's largest exponent.

    Writing: each transfer on `i` (always ready) is `written` channels of a row, 1 or 2. Each `i_exponent` transfer
    {row, group, exponent}, for each row in ascending order of groups, sets the exponent of a group; group 0 restarts
    the row's largest. A group may come several times in a row.

    Reading: a request on `i_request` gives channels 0 .. count - 1 of `row` on `o`, `lanes` a cycle, the
    last word marked: x = round(o / 2**(E - exponent of the channel's group)), half to even, where a group has
    `group_channels` channels; both counts are multiples of 4. `exponent` is E, from the cycle after the request's
    acceptance until the next; a request is accepted once the last word of the one before is taken. First word
    `LATENCY` cycles after the request. Writing and reading a row at once is undefined. Golden: the end
    of `_attend` in models/golden/model.py.
    """

    LATENCY = 9

    def __init__(self, *, rows: int, channels: int, groups: int, lanes: int, written: int = 2) -> None:
        if channels % CHANNEL_UNIT:
            raise ValueError(f"channels must be a multiple of {CHANNEL_UNIT}, got {channels}")
        self._rows, self._channels, self._groups, self._lanes = rows, channels, groups, lanes
        self._written = written
        self._stored = max(lanes, written)  # channels of a word of the memory
        super().__init__({
            "i": In(stream.Signature(output_part(rows, channels, written))),
            "i_exponent": In(stream.Signature(ROW_EXPONENT)),
            "i_request": In(stream.Signature(OUTPUT_REQUEST)),
            "o": Out(stream.Signature(output_word(lanes))),
            "exponent": Out(_EXPONENT),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        words, group_bits = self._channels // self._stored, ceil_log2(self._groups)
        halves = data.ArrayLayout(self.i.p.x.shape(), self._stored // self._written)
        m.submodules.outputs = outputs = Memory(shape=halves, depth=words << ceil_log2(self._rows), init=[],
                                            attrs={"ram_style": "block"})
        m.submodules.exponents = exponents = Memory(shape=_EXPONENT, depth=self._rows << group_bits, init=[])
        m.submodules.largest = largest = Memory(shape=_EXPONENT, depth=self._rows, init=[])

        self._elaborate_write(m, outputs, exponents, largest)
        self._elaborate_read(m, outputs, exponents, largest)
        return m

    def _elaborate_write(self, m: Module, outputs: Memory, exponents: Memory, largest: Memory) -> None:
        write, stored_bits = outputs.write_port(granularity=1), exact_log2(self._stored)
        m.d.comb += [
            self.i.ready.eq(1), write.addr.eq(Cat(self.i.p.row, self.i.p.channel[stored_bits:])),
            write.en.eq(self.i.valid << self.i.p.channel[exact_log2(self._written):stored_bits]),
            *(write.data[half].eq(self.i.p.x) for half in range(self._stored // self._written)),
        ]

        group_bits, row_bits = ceil_log2(self._groups), ceil_log2(self._rows)
        write, write_largest = exponents.write_port(), largest.write_port()
        read_largest = largest.read_port(domain="comb")
        new = self.i_exponent.p
        row = new.row[:row_bits]
        m.d.comb += [
            self.i_exponent.ready.eq(1),
            write.addr.eq(Cat(new.group[:group_bits], row)), write.data.eq(new.exponent),
            write.en.eq(self.i_exponent.valid),
            read_largest.addr.eq(row),
            write_largest.addr.eq(row), write_largest.data.eq(new.exponent),
            write_largest.en.eq(
                self.i_exponent.valid & ((new.group == 0) | (new.exponent > read_largest.data))),
        ]

    def _elaborate_read(self, m: Module, outputs: Memory, exponents: Memory, largest: Memory) -> None:
        request = Signal(OUTPUT_REQUEST, reset_less=True)
        lanes, lane_bits = self._lanes, exact_log2(self._lanes)
        words, row_bits = self._channels // lanes, ceil_log2(self._rows)
        word, group = Signal(range(words)), Signal(range(self._groups))
        last_word = Signal(16 - lane_bits, reset_less=True)
        in_group, last_in_group = Signal(16 - lane_bits), Signal(16 - lane_bits, reset_less=True)
        started = stream.Signature(0).create()
        row_end = word == last_word

        # nothing stops a word that is under way: it has its place behind the pipeline
        ready = stream.Signature(self.o.p.shape(), always_ready=True).create()
        m.submodules.given = given = ReservedQueue(self.o.p.shape(), self.LATENCY + _BETWEEN)
        m.d.comb += [given.i.valid.eq(ready.valid), given.i.payload.eq(ready.payload)]
        connect(m, given.o, flipped(self.o))

        read_largest = largest.read_port(domain="comb")
        m.d.comb += read_largest.addr.eq(self.i_request.p.row[:row_bits])
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i_request.ready.eq(1)
                m.d.sync += [request.eq(self.i_request.p), word.eq(0), group.eq(0), in_group.eq(0)]
                with m.If(self.i_request.valid):
                    m.d.sync += self.exponent.eq(read_largest.data)
                    m.next = "SHAPE"
            with m.State("SHAPE"):
                m.d.sync += [last_word.eq((request.count - 1) >> lane_bits),
                             last_in_group.eq((request.group_channels - 1) >> lane_bits)]
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += [given.reserve.eq(given.free), started.valid.eq(given.free)]
                with m.If(given.free):
                    m.d.sync += [word.eq(word + 1), in_group.eq(in_group + 1)]
                    with m.If(in_group == last_in_group):
                        m.d.sync += [in_group.eq(0), group.eq(group + 1)]
                    with m.If(row_end):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(self.o.valid & self.o.ready & self.o.p.last):
                    m.next = "IDLE"

        p = Pipeline(m, started, ready)
        read, read_exponent = outputs.read_port(), exponents.read_port()
        part_bits = exact_log2(self._stored) - lane_bits  # of a word of the memory, lanes each
        row = request.row[:row_bits]
        m.d.comb += [read.addr.eq(Cat(row, word[part_bits:])), read.en.eq(p.advance),
                     read_exponent.addr.eq(Cat(group, row)), read_exponent.en.eq(p.advance)]
        part, last = p.step(word[:part_bits], row_end)
        part_width = lanes * OUTPUT_BITS
        values = Value.cast(read.data).word_select(part, part_width) if part_bits else Value.cast(read.data)
        *values, apart, last = p.step(*(values.word_select(lane, OUTPUT_BITS).as_signed() for lane in range(lanes)),
                                      self.exponent - read_exponent.data, last)
        # from a shift of 26 on nothing is left of 24 bits and sign
        *values, amount, last = p.step(*values, Mux(apart > OUTPUT_BITS, OUTPUT_BITS + 1, apart)[:5], last)
        shifted = [shift_sticky(x << 1, Const(0, 1), amount[3:], unit=8) for x in values]
        *flat, amount, last = p.step(*(part for pair in shifted for part in pair), amount[:3], last)
        shifted = [shift_sticky(*pair, amount) for pair in zip(flat[::2], flat[1::2], strict=True)]
        *flat, last = p.step(*(part for pair in shifted for part in pair), last)
        rounded = []
        for x, sticky in zip(flat[::2], flat[1::2], strict=True):
            quotient = x[1:].as_signed()
            rounded.append((quotient + (x[0] & (sticky | x[1])))[:OUTPUT_BITS].as_signed())
        *values, last = p.step(*rounded, last)
        p.finish(last=last)
        m.d.comb += [ready.p.values[lane].eq(value) for lane, value in enumerate(values)]
